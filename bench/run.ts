import { makeBed } from './bed.ts';
import { journal } from './journal.ts';
import { describeMachine, leaveServerCore, pinning } from './machine.ts';
import { actions, type Figure, introspection, login, start } from './parts.ts';
import { revocation } from './revocation.ts';

/** `npm run bench`: see README.md of this folder. Nothing here is asserted by a test: figures are read, with the machine they come from. */

const PARTS = { login, introspection, actions, journal, revocation, start } as const;

const HELP = `npm run bench [-- part …] [--quick] [--json]

  parts    ${Object.keys(PARTS).join(', ')} (all by default)
  --quick  short rounds: to see that it runs, not to quote
  --json   last line: one JSON object, {"G1": 0.71, …}
`;

const verdict = ({ value, target }: Figure): string => {
  if (!target) return '';
  const [bound, sign, met] = 'atLeast' in target ? [target.atLeast, '≥', value >= target.atLeast] : [target.atMost, '≤', value <= target.atMost];
  return `${sign} ${bound}`.padEnd(10) + (met ? 'reached' : 'NOT REACHED');
};

const run = async (names: readonly (keyof typeof PARTS)[], quick: boolean): Promise<Figure[]> => {
  const { server, pinned } = pinning();
  console.log(`\n${describeMachine(pinned)}`);
  if (pinned) leaveServerCore();
  const bed = await makeBed({ seconds: quick ? 1 : 4, rounds: quick ? 2 : 5, lanes: 32, prefix: server });
  const figures: Figure[] = [];
  try {
    for (const name of names) figures.push(...(await PARTS[name](bed)));
  } finally {
    await bed.close();
  }
  return figures;
};

const isPart = (name: string): name is keyof typeof PARTS => Object.hasOwn(PARTS, name);
const words = process.argv.slice(2);
const asked = words.filter((word) => !word.startsWith('-'));
const unknown = words.filter((word) => (word.startsWith('-') ? !['--quick', '--json', '--help'].includes(word) : !isPart(word)));
if (words.includes('--help') || unknown.length) {
  if (unknown.length) console.error(`unknown: ${unknown.join(' ')}\n`);
  console.log(HELP);
  process.exitCode = unknown.length ? 2 : 0;
} else {
  const figures = await run(asked.length ? asked.filter(isPart) : (Object.keys(PARTS) as (keyof typeof PARTS)[]), words.includes('--quick'));
  console.log('\nfigures');
  for (const each of figures) console.log(`  ${each.key.padEnd(12)}${each.what.padEnd(56)}${each.value.toFixed(3).padStart(9)}  ${verdict(each)}`);
  if (words.includes('--json')) console.log(JSON.stringify(Object.fromEntries(figures.map(({ key, value }) => [key, Number(value.toFixed(4))]))));
}
