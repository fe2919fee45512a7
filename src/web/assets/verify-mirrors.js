// Asks the mirrors of the journal, which are in other hands, whether the party of a page has more entries than it shows (docs/mirror.md). A mirror sees
// a random string: neither who asks, nor of whom.

const ANSWER_MS = 4000;
/** Beyond this many, hidden entries are no longer counted. */
const MOST = 4096;

/** What the mirror at `url` says of a tag: `{ size, index }`, without `index` when it has no such entry. Undefined when it says nothing of this log. */
const ask = async (url, tag, origin) => {
  try {
    const options = {
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_MS),
    };
    const answer = await fetch(`${url}/tag/${tag}`, options);
    const said = answer.ok ? await answer.json() : undefined;
    if (said?.origin !== origin || !Number.isSafeInteger(said.size) || (said.found === true && !Number.isSafeInteger(said.index))) return undefined;
    return { size: said.size, ...(said.found === true ? { index: said.index } : {}) };
  } catch {
    return undefined;
  }
};

/** How many numbers beyond `last` the mirror knows, given that it knows the next: numbers have no gap. */
const countBeyond = async (knows, last) => {
  let [known, unknown] = [1, 2];
  while (unknown < MOST && (await knows(last + unknown))) [known, unknown] = [unknown, unknown * 2];
  while (unknown - known > 1) {
    const middle = Math.floor((known + unknown) / 2);
    if (await knows(last + middle)) known = middle;
    else unknown = middle;
  }
  return known;
};

/**
 * Asks one mirror. Answers `kind`: 'none' (it knows no more), 'more' (`more` entries beyond the page's newest, the first at `index`), 'other' (it does
 * not know the page's newest entry, or elsewhere: another journal), 'late' (its copy ends before `size`), 'silent'.
 */
const askMirror = async ({ name, url }, { evidence, tagOf, size }) => {
  const { origin } = evidence.log;
  const { last } = evidence.party;
  const at = async (number) => ask(url, await tagOf(number), origin);
  const next = await at(last + 1);
  if (!next) return { name, kind: 'silent' };
  if (next.index !== undefined) {
    const more = await countBeyond(async (number) => (await at(number))?.index !== undefined, last);
    return { name, kind: 'more', more, index: next.index };
  }
  const newest = evidence.entries.find(({ number }) => number === last);
  if (newest && next.size > newest.index) {
    const here = await at(last);
    if (!here) return { name, kind: 'silent' };
    if (here.index !== newest.index) return { name, kind: 'other', index: here.index };
  }
  return { name, kind: next.size < size ? 'late' : 'none' };
};

/** Asks all of them at once. `tagOf` makes the party's tag of a number; `size`: what a mirror must have copied for its silence to count. */
export const askMirrors = (asked) => Promise.all((asked.evidence.mirrors ?? []).map((mirror) => askMirror(mirror, asked)));
