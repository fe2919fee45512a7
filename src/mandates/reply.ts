export type Reply = 'yes' | 'no' | 'unclear';

/** One SMS of 160 characters is a long answer to a question that is answered with one word. What is longer is not read (claim I8). */
const LONGEST = 160;

const words = (text: string): string[] =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim()
    .split(' ');

const REFUSALS = ['non', 'stop', 'arret', 'arreter', 'revoquer'];

/**
 * Reads a message that answers no question: a word that stops everything, or a `no` that may mean it. The words that carriers know come first
 * (wording-accessibility.md, "SMS patterns").
 */
export const readStop = (text: string): 'stop' | 'no' | undefined => {
  if (text.length > LONGEST) return undefined;
  const [first = ''] = words(text);
  return first === 'non' ? 'no' : REFUSALS.includes(first) ? 'stop' : undefined;
};

/**
 * Reads what a person answered (product.md, "Remote consent"). Only "oui" alone is a yes: case, spaces, accents and punctuation around it do not
 * count, but a question mark does. A message that begins with a word of refusal is a no, whatever follows: in doubt, nobody has agreed.
 */
export const readReply = (text: string): Reply => {
  if (text.length > LONGEST) return 'unclear';
  const said = words(text);
  if (REFUSALS.includes(said[0] ?? '')) return 'no';
  return said.length === 1 && said[0] === 'oui' && !text.includes('?') ? 'yes' : 'unclear';
};
