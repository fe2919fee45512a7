/** What a refusal's sentence may name; each is already written for the screen. */
export interface RefusalFacts {
  /** When it happened: « 14 h 31 ». */
  readonly time?: string;
  readonly service?: string;
  readonly person?: string;
  readonly help?: string;
}

/** What happened, what it changes, what to do (wording-accessibility.md, 2.4). */
export interface Refusal {
  readonly title: string;
  readonly what: (facts: RefusalFacts) => string;
  readonly changes: string;
  readonly todo: string;
}

/** Makes a refusal; `what` may name facts. */
export const refusal = (title: string, what: string | ((facts: RefusalFacts) => string), changes: string, todo: string): Refusal => ({
  title,
  what: typeof what === 'string' ? () => what : what,
  changes,
  todo,
});
