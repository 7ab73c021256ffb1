/** What is counted, for all requests together and for each model. */
export interface Counts {
  requests: number;
  completed: number;
  cancelled: number;
  cancelled_before_first_byte: number;
  errors: number;
  cut: number;
  prompt_tokens: number;
  completion_tokens: number;
}

function zero(): Counts {
  return {
    requests: 0,
    completed: 0,
    cancelled: 0,
    cancelled_before_first_byte: 0,
    errors: 0,
    cut: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
  };
}

/** Counts, and how many requests are under way. */
export class Tally {
  active = 0;
  #highest = 0;
  #counts = zero();

  /** A request begins. Returns the counts that it belongs to until its end. */
  enter(): Counts {
    this.active += 1;
    this.#highest = Math.max(this.#highest, this.active);
    this.#counts.requests += 1;
    return this.#counts;
  }

  /** A request ends, however it does. */
  leave(): void {
    this.active -= 1;
  }

  /** False for counts from before the last reset. */
  owns(counts: Counts | undefined): boolean {
    return counts === this.#counts;
  }

  /** Begins new counts; what is under way stays active. */
  reset(): void {
    this.#counts = zero();
    this.#highest = this.active;
  }

  /** The figures as `GET /__stats` shows them. */
  report(): Readonly<Record<string, number>> {
    const { requests, ...rest } = this.#counts;
    return { requests, active: this.active, highest_concurrency: this.#highest, ...rest };
  }
}
