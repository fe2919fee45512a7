/** The ten families of démarches (product.md, "The ten themes"), in the order in which they are shown. */
export const THEMES = ['papiers', 'famille', 'social', 'travail', 'logement', 'transports', 'argent', 'justice', 'etranger', 'loisirs'] as const;

export type Theme = (typeof THEMES)[number];

/** Says whether `value` is one of the ten themes. */
export const isTheme = (value: unknown): value is Theme => THEMES.some((theme) => theme === value);

/** Reads a list of themes: known, without repetition, put in the common order. Undefined when one is unknown or the list is not one. */
export const readThemes = (value: unknown): readonly Theme[] | undefined => {
  if (!Array.isArray(value)) return undefined;
  const given: readonly unknown[] = value;
  if (!given.every(isTheme)) return undefined;
  return THEMES.filter((theme) => given.includes(theme));
};

/** Keeps the themes of `a` that are also in `b`, in the common order. */
export const commonThemes = (a: readonly Theme[], b: readonly Theme[]): readonly Theme[] =>
  THEMES.filter((theme) => a.includes(theme) && b.includes(theme));
