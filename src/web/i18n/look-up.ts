/** Looks a word up in a catalogue's list; only the list's own members count, so that a key such as `constructor` finds nothing. */
export const lookUp = (words: Readonly<Record<string, string>>, key: string | undefined): string | undefined =>
  key !== undefined && Object.hasOwn(words, key) ? words[key] : undefined;
