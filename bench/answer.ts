/** An HTTP/1.1 answer, parsed just enough: its status, and a body with a length or in chunks. */
import type { Expected } from "./client.ts";

const HEAD_END = "\r\n\r\n";
const DONE = Buffer.from("data: [DONE]\n\n");
const EVENT_END = "\n\n";
const EMPTY = Buffer.alloc(0);

/** Takes the bytes of one answer as they come. */
export class Answer {
  /** Bytes of the body so far. */
  bytes = 0;
  #status = 0;
  #chunked = false;
  /** Bytes still to come of the body or of the chunk under way. */
  #left = 0;
  #inBody = false;
  #rest: Buffer = EMPTY;
  readonly #pieces: Buffer[] = [];

  /** Returns true when the answer is complete. */
  feed(chunk: Buffer): boolean {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = EMPTY;
    if (!this.#inBody) {
      const end = data.indexOf(HEAD_END);
      if (end === -1) {
        this.#rest = data;
        return false;
      }
      this.#head(data.toString("latin1", 0, end));
      data = data.subarray(end + HEAD_END.length);
    }
    return this.#chunked ? this.#feedChunks(data) : this.#feedPlain(data);
  }

  /** Throws when the answer is not the expected one. */
  check({ status, events, slack, leave }: Expected): void {
    const body = () => Buffer.concat(this.#pieces);
    if (this.#status !== status) throw new Error(`status ${this.#status}: ${body().toString().slice(0, 300)}`);
    if (leave !== null) return;
    if (this.bytes === 0) throw new Error("an empty body");
    if (events === null) return;
    const text = body();
    if (!text.subarray(-DONE.length).equals(DONE)) throw new Error(`a stream that ends in ${text.subarray(-80)}`);
    const found = count(text);
    if (Math.abs(found - events) > slack) throw new Error(`a stream of ${found} events, not ${events}`);
  }

  /** What a whole answer says. Throws when it is no JSON. */
  json(): unknown {
    return JSON.parse(Buffer.concat(this.#pieces).toString());
  }

  #head(text: string): void {
    this.#status = Number(text.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    this.#chunked = /\r\ntransfer-encoding: *chunked/i.test(text);
    if (length === undefined && !this.#chunked) throw new Error(`an answer without length: ${text}`);
    this.#left = Number(length ?? 0);
    this.#inBody = true;
  }

  #feedPlain(data: Buffer): boolean {
    this.#keep(data);
    this.#left -= data.length;
    if (this.#left < 0) throw new Error("more bytes than announced");
    return this.#left === 0;
  }

  /** Each chunk is its size in hexadecimal, CRLF, the bytes, CRLF; one of size 0 ends the body. */
  #feedChunks(data: Buffer): boolean {
    let at = 0;
    while (at < data.length) {
      if (this.#left > 0) {
        const piece = data.subarray(at, at + this.#left);
        this.#keep(piece);
        this.#left -= piece.length;
        at += piece.length;
        continue;
      }
      const start = data[at] === 13 ? at + 2 : at; // the CRLF behind the chunk before
      const end = data.indexOf("\r\n", start);
      if (end === -1) break;
      this.#left = Number.parseInt(data.toString("latin1", start, end), 16);
      if (Number.isNaN(this.#left)) throw new Error("a chunk without size");
      if (this.#left === 0) {
        if (data.length >= end + 4) return true;
        break;
      }
      at = end + 2;
    }
    this.#rest = data.subarray(at);
    return false;
  }

  #keep(piece: Buffer): void {
    if (piece.length > 0) this.#pieces.push(piece);
    this.bytes += piece.length;
  }
}

function count(text: Buffer): number {
  let found = 0;
  for (let at = text.indexOf(EVENT_END); at !== -1; at = text.indexOf(EVENT_END, at + 2)) found += 1;
  return found;
}
