import type { JSX } from 'hono/jsx/jsx-runtime';
import { ContestPage, DeclareErrorPage, DisagreementsPage, OwnActsPage } from '../../src/web/views/contests.tsx';
import type { Frame } from '../../src/web/views/layout.tsx';
import type { Post } from '../../src/web/views/parts.tsx';
import { sampleEntries, type Text } from './views-entries.ts';

interface Given {
  readonly aidant: Frame;
  readonly usager: Frame;
  readonly post: (action: string) => Post;
}

/** The pages of disagreements and errors, by name. */
export const contestSamples = (text: Text, { aidant, usager, post }: Given): Record<string, JSX.Element> => {
  const entries = sampleEntries(text);
  const [act, contested, error, opened] = (['action.reported', 'action.contested', 'action.error-declared', 'session.opened'] as const).map(
    (type) => {
      const found = entries.find((entry) => entry.type === type);
      if (!found) throw new Error(`no ${type} among the sample entries`);
      return found;
    },
  ) as [(typeof entries)[0], (typeof entries)[0], (typeof entries)[0], (typeof entries)[0]];
  const at = new Date('2026-03-04T09:12:00Z');
  const mandate = { reference: text('M-7K4Q-2F9D'), href: '/x' };
  const declare = { frame: aidant, entry: act, mandate, post: post('/x'), backHref: '/x' };
  const contest = { frame: usager, entry: act, post: post('/x'), stopHref: '/x', backHref: '/x' };
  return {
    contest: <ContestPage {...contest} said={{}} />,
    'contest-done': <ContestPage {...contest} said={{ contest: at, error: at }} />,
    'own-fault': <DeclareErrorPage {...declare} said={{ contest: at }} />,
    'own-fault-said': <DeclareErrorPage {...declare} said={{ error: at }} />,
    'acts-own': (
      <OwnActsPage
        frame={aidant}
        lines={[
          { entry: act, said: {}, mandate, href: '/x' },
          { entry: opened, said: { contest: at }, mandate, href: '/x' },
          { entry: { ...opened, index: opened.index - 5 }, said: { error: at }, mandate },
        ]}
        older="/x"
        backHref="/x"
      />
    ),
    'acts-own-none': <OwnActsPage frame={aidant} lines={[]} newer="/x" backHref="/x" />,
    disagreements: (
      <DisagreementsPage
        frame={aidant}
        lines={[
          { entry: error, said: { contest: at, error: at }, mandate },
          { entry: contested, said: { contest: at }, mandate },
        ]}
        backHref="/x"
      />
    ),
    'disagreements-none': <DisagreementsPage frame={aidant} lines={[]} backHref="/x" />,
  };
};
