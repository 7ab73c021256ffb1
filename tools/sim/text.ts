// The words are hazards on purpose: sequences of two, three and four bytes for writes that split them, JSON escapes,
// a line separator that naive line splitters break on, and "[DONE]" inside a text.
const WORDS = [
  "Hello ",
  "from ",
  "the ",
  "héllo ",
  "→ ",
  "😀 ",
  "gate: ",
  "naïve ",
  "日本 ",
  "I ",
  '"quoted" ',
  "back\\slash ",
  "new\nline ",
  "sep\u2028arator ",
  "data: ",
  "[DONE] ",
  "water ",
  "flows ",
  "👩‍🚀 ",
  "and ",
  "on ",
  "🌊 ",
  "so. ",
] as const;

const ENCODED: readonly string[] = WORDS.map((word) => JSON.stringify(word));

/** The text of content chunk `n`, counted from 0: the words in turn, from the start again after the last. */
export function text(n: number): string {
  return WORDS[n % WORDS.length] ?? "";
}

/** The same as a JSON string, with its quotes, encoded once for all requests. */
export function encodedText(n: number): string {
  return ENCODED[n % ENCODED.length] ?? '""';
}

/** The whole text of an answer of `chunks` chunks. */
export function fullText(chunks: number): string {
  const rounds = Math.floor(chunks / WORDS.length);
  return WORDS.join("").repeat(rounds) + WORDS.slice(0, chunks % WORDS.length).join("");
}
