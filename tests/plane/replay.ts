/** Plays cases of tests/unit/gateway/test_plane.py to plane.mjs, and prints where it does otherwise, as JSON. */
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { LET_GO, Passing } from "../../src/lib/runtime/plane.mjs";

type Case = {
  pieces: string[];
  outs: string[];
  asked: [event: string, already: number, answer: string | boolean][];
  gone: [events: string, most: number][];
  marks: string;
  kept: number;
  most: number;
  text: string;
  sent: number;
};

const bytes = (said: string) => new Uint8Array(Buffer.from(said, "latin1"));
const said = (piece: Uint8Array | null) => Buffer.from(piece ?? []).toString("latin1");

function play(each: Case): void {
  let asked = 0;
  let gone = 0;
  const passing = new Passing(each.marks, each.kept, each.most, (what, told, number) => {
    if (what === LET_GO) {
      assert.deepEqual([said(told), number], each.gone[gone++]);
      return null;
    }
    const [event, already, answer] = each.asked[asked++] ?? assert.fail(`asked of ${said(told)}`);
    assert.deepEqual([said(told), number], [event, already]);
    return typeof answer === "string" ? bytes(answer) : answer || null;
  });
  for (const [index, piece] of each.pieces.entries()) {
    const fed = bytes(piece);
    const out = passing.feed(fed);
    assert.equal(said(out), each.outs[index], `piece ${index}`);
  }
  assert.deepEqual([asked, gone], [each.asked.length, each.gone.length]);
  assert.deepEqual([said(passing.text), passing.sent], [each.text, each.sent]);
}

const cases: Case[] = JSON.parse(await text(process.stdin));
const found = [];
for (const each of cases) {
  try {
    play(each);
  } catch (error) {
    found.push({ pieces: each.pieces, error: String(error) });
  }
}
console.log(JSON.stringify(found.slice(0, 3)));
