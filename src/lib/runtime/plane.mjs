// The data plane: one call to a provider, from its request to the last byte of its answer. docs/streaming.md says why
// this is no Python. It moves bytes. What is sent, what ends a stream and what was used, Python decides: nothing here
// knows of keys, prices or formats.

// How a call ends; and what Python is told: of text that is let go; that the call has to end; to look at bytes; to sift
// an event. relay.py and upstream.py have them in this order.
export const DONE = 0, BROKE_OFF = 1, TIMEOUT = 2, GONE = 3, NEVER_ASKED = 4;
export const LET_GO = 0, OVER = 1, LOOK = 2, SIFT = 3;

const LF = 10, CR = 13;
const EVENT_END = /(?:\r\n|\n|\r(?!\n)){2}/g;
const MOST_EVENT_BYTES = 1024 * 1024; // one event is held no further: what stands in a longer one goes on unread
const OVERLAP = 64; // longer than what `begun` finds, which may be split between two reads
const READ_BYTES = 16 * 1024; // of a stream of which much comes at once
// Each stream that is open has a buffer waiting, so it is small where little comes. They can't share one: a read takes
// its buffer away until it settles.
export const SMALL_READ_BYTES = 2 * 1024;
const LAST_BYTES_MS = 5_000;
const latin1 = new TextDecoder("latin1"); // a character a byte; all that is looked for is ASCII

/** @typedef {(what: number, bytes: Uint8Array | null, number: number) => Uint8Array | boolean | null | void} Tell */

/** The place behind the last event that is over before `end` (but the LF of its CR may stand there); 0 for none.
 * @param {Uint8Array} bytes @param {number} from where the two line ends may begin @param {number} end */
function boundary(bytes, from, end) {
  for (let at = end - 2; at >= from; at--) {
    const second = bytes[at + 1];
    if (second === LF ? bytes[at] === LF : second === CR && (bytes[at] === LF || bytes[at] === CR))
      return second === CR && bytes[at + 2] === LF ? at + 3 : at + 2;
  }
  return 0;
}

/** A stream's text on its way. Its end is kept, and it is sifted where there is a sieve. */
export class Passing {
  sent = 0; // how much of the text the client has, or is not to have
  #bytes = new Uint8Array(SMALL_READ_BYTES);
  #size = 0;
  #event = 0; // where the event under way begins, once whole events are looked at
  #looking = false;
  #running = false;
  #lastKept = true; // whether the last whole event went out
  #last = "";

  /** @param {string} sieve the JSON of its marks, or "" @param {number} kept @param {number} most @param {Tell} tell */
  constructor(sieve, kept, most, tell) {
    const { begun, member, among } = sieve ? JSON.parse(sieve) : { begun: "", member: "", among: "" };
    this.sifts = sieve !== "";
    this.marks = { begun: new RegExp(begun), member: new RegExp(member), among: new RegExp(among) };
    this.kept = kept;
    this.most = this.limit = most;
    this.tell = tell;
  }

  /** The end of the text, or all of it: until the next bytes come. */
  get text() { return this.#bytes.subarray(0, this.#size); }

  /** @param {Uint8Array} piece @returns {Uint8Array} what goes out now: `piece` itself, where nothing changes */
  feed(piece) {
    if (this.#size > this.limit) this.#letGo(piece.length > SMALL_READ_BYTES);
    const before = this.#add(piece);
    const out = this.sifts ? this.#sifted(piece, before) : [piece], changed = out[0] !== piece;
    if (!changed || this.#size - this.#event > MOST_EVENT_BYTES) {
      if (changed) out.push(this.#bytes.subarray(this.sent, this.#size));
      this.sent = this.#size;
    }
    if (!changed) return piece;
    const whole = new Uint8Array(out.reduce((size, part) => size + part.length, 0));
    out.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
    return whole;
  }

  /** @param {Uint8Array} piece @returns {number} where it begins */
  #add(piece) {
    const before = this.#size;
    this.#size += piece.length;
    if (this.#size > this.#bytes.length) {
      const wanted = Math.min(2 * this.#bytes.length, this.limit + SMALL_READ_BYTES);
      const larger = new Uint8Array(Math.max(this.#size, wanted));
      larger.set(this.#bytes.subarray(0, before));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, before);
    return before;
  }

  /** Until the marks say so all goes on as it came, half events included, so that no byte waits. Then whole events.
   * @param {Uint8Array} piece @param {number} before @returns {Uint8Array[]} what goes out now */
  #sifted(piece, before) {
    let from = Math.max(this.#event, before - 1); // what lies before was searched with what came earlier
    if (!this.#looking) {
      const seen = this.#last + latin1.decode(piece);
      this.#looking = this.marks.begun.test(seen);
      this.#last = this.#looking ? "" : seen.slice(-OVERLAP);
      if (!this.#looking) return [piece];
      this.sent = before;
      from = this.#event = boundary(this.text, 0, before);
    } else if (this.#event === before && piece[0] === LF && this.#bytes[before - 1] === CR) from = ++this.#event;
    /** @type {Uint8Array[]} */
    const out = [];
    if (this.#event > this.sent) { // the LF of the last event's CR
      if (this.#lastKept) out.push(this.#bytes.subarray(this.sent, this.#event));
      this.sent = this.#event;
    }
    if (boundary(this.text, from, this.#size)) this.#wholeEvents(out);
    return out;
  }

  #wholeEvents(/** @type {Uint8Array[]} */ out) {
    const start = this.#event, text = latin1.decode(this.#bytes.subarray(start, this.#size));
    for (const end of text.matchAll(EVENT_END)) {
      const next = start + end.index + end[0].length, already = Math.max(0, this.sent - this.#event);
      const event = this.#bytes.subarray(this.#event, next), words = text.slice(this.#event - start, next - start);
      const asked = this.marks.member.test(words) && !(this.#running && this.marks.among.test(words));
      const rest = asked ? this.tell(SIFT, event, already) : null;
      if (rest === true) this.#running = true;
      out.push(rest instanceof Uint8Array ? rest : event.subarray(already));
      this.#lastKept = already > 0 || !(rest instanceof Uint8Array) || rest.length > 0;
      this.#event = next;
      this.sent = Math.max(this.sent, next);
    }
  }

  /** Keep only the last events. One without an end is cut: nobody will read it whole.
   * @param {boolean} fast whether much comes at once: its larger buffer is kept then, and not made anew each time */
  #letGo(fast) {
    let begin = Math.min(this.sent, boundary(this.text, 0, this.#size - this.kept));
    if (!begin && this.#size > MOST_EVENT_BYTES) begin = this.#size - this.kept;
    const events = this.#bytes.subarray(0, begin);
    // Where an event is that long, more of it has to come before it is looked at again.
    this.limit = Math.max(this.most, 2 * (this.#size - begin));
    this.tell(LET_GO, events, this.limit);
    const most = this.limit + (fast ? READ_BYTES : SMALL_READ_BYTES);
    if (this.#bytes.length > most) this.#bytes = this.#bytes.slice(begin, this.#size);
    else this.#bytes.copyWithin(0, begin, this.#size);
    this.#size -= begin;
    this.sent -= begin;
    this.#event = Math.max(0, this.#event - begin);
  }
}

/** One call. `head` is the JSON of its answer's status and headers; while that is "", `why` tells why there is none. */
class Call {
  head = "";
  held = false; // Python holds bytes back: it looks at the next ones too
  #over = false;
  #controller = new AbortController();

  constructor(/** @type {AbortSignal} */ client, /** @type {number} */ ms) {
    this.client = client;
    this.timeout = AbortSignal.timeout(ms);
    this.signal = AbortSignal.any([client, this.timeout, this.#controller.signal]);
  }

  get why() { return this.client.aborted ? GONE : this.timeout.aborted ? TIMEOUT : BROKE_OFF; }

  /** Cancel it. What has been read stays readable. */
  cut() { this.#controller.abort(); }

  /** @param {Promise<Response>} asking */
  async begun(asking) {
    try {
      this.response = await asking;
      this.head = JSON.stringify([this.response.status, Object.fromEntries(this.response.headers)]);
    } catch { /* `why` tells */ }
    return this;
  }

  /** Hand the body on as it comes; return what the client reads. `finished` is how it ended, once it has.
   * @param {string} sieve the marks' JSON, or "" @param {string} guard what Python must look at, or ""
   * @param {number} kept @param {number} most @param {Tell} tell */
  relay(sieve, guard, kept, most, tell) {
    const { readable, writable } = new IdentityTransformStream();
    this.passing = new Passing(sieve, kept, most, tell);
    this.writer = writable.getWriter();
    this.finished = this.#run(this.#handOn(this.writer, this.passing, guard ? new RegExp(guard) : null), tell);
    return readable;
  }

  async #run(/** @type {Promise<void>} */ handingOn, /** @type {Tell} */ tell) {
    const { promise, reject } = Promise.withResolvers();
    // A write to a client that has left never settles, nor is anything that is awaited sure to come then: the event of
    // the abort itself tells Python.
    const over = () => {
      this.#over = true;
      reject();
      tell(OVER, null, this.why);
    };
    let end = DONE;
    if (this.signal.aborted) reject();
    else this.signal.addEventListener("abort", over);
    try {
      await Promise.race([handingOn, promise]);
    } catch {
      end = this.why;
    }
    this.#over = true;
    this.signal.removeEventListener("abort", over);
    if (end !== DONE) this.cut(); // whatever broke, nobody reads the rest
    return end;
  }

  /** One write at a time: a client that reads slowly stops its provider, and no more than one read waits for it.
   * @param {WritableStreamDefaultWriter} writer @param {Passing} passing @param {RegExp | null} guard */
  async #handOn(writer, passing, guard) {
    const reader = this.response?.body?.getReader({ mode: "byob" });
    for (let buffer = new Uint8Array(SMALL_READ_BYTES); reader;) {
      const { done, value } = await reader.read(buffer);
      if (done || this.#over) return;
      const look = guard !== null && (this.held || guard.test(latin1.decode(value)));
      const out = passing.feed(/** @type {Uint8Array} */ (look ? passing.tell(LOOK, value, 0) : value));
      if (out.length) await writer.write(out);
      let size = value.buffer.byteLength;
      if (value.length === size) size = Math.min(2 * size, READ_BYTES);
      else if (value.length * 4 <= size) size = Math.max(size / 2, SMALL_READ_BYTES);
      buffer = size === value.buffer.byteLength ? new Uint8Array(value.buffer) : new Uint8Array(size);
    }
  }

  /** Write the last bytes and end the stream. A client that takes long to read them is not waited for.
   * @param {Uint8Array | null} last */
  async close(last) {
    const { writer, client } = this, left = Promise.withResolvers();
    if (!writer || client.aborted) return;
    client.addEventListener("abort", left.resolve);
    const steps = last ? [writer.write(last), writer.close()] : [writer.close()];
    // A failure: it left at the very end.
    await Promise.race([Promise.all(steps), left.promise, scheduler.wait(LAST_BYTES_MS)]).catch(() => {});
  }
}

/** Call a provider. Never rejects. Nothing keeps the body, which the platform has copied: the answer may take minutes.
 * @param {string} url @param {string} headers JSON @param {Uint8Array<ArrayBuffer>} body @param {AbortSignal} client
 * @param {number} ms */
export function post(url, headers, body, client, ms) {
  if (client.aborted) return Promise.resolve({ head: "", why: NEVER_ASKED });
  const call = new Call(client, ms);
  return call.begun(asked(url, headers, body, call.signal));
}

/** @param {string} url @param {string} headers @param {Uint8Array<ArrayBuffer>} body @param {AbortSignal} signal */
async function asked(url, headers, body, signal) {
  // `manual`: following a redirect would carry our key to another host
  return fetch(url, { method: "POST", headers: JSON.parse(headers), body, redirect: "manual", signal });
}
