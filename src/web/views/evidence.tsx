import type { JSX } from 'hono/jsx/jsx-runtime';
import { ED25519_SCRIPT, VERIFY_LOG_SCRIPT, VERIFY_MIRRORS_SCRIPT } from '../assets/assets.ts';
import type { Evidence } from '../evidence.ts';
import { type Lang, t } from '../i18n/language.ts';
import { Icon, type IconName } from './icons.tsx';
import { type Frame, Layout } from './layout.tsx';
import { PATHS } from './paths.ts';

/** An icon a state, beside its words. */
const ICONS = {
  verified: 'lock',
  recorded: 'clock',
  sealed: 'clock',
  unable: 'info',
  mismatch: 'alert',
} as const satisfies Record<string, IconName>;

interface EvidenceProps {
  readonly lang: Lang;
  readonly helpNumber: string;
  readonly evidence: Evidence;
}

/** Where the browser says whether the lines below are those of the journal. Empty without a script: the page's own sentence about the seal stays. */
export const EvidenceStatus = ({ lang, helpNumber, evidence }: EvidenceProps): JSX.Element => {
  const { states, notes, mirrors, mismatch, again, all, how, checking, counting } = t(lang).evidence;
  const says = {
    states,
    notes,
    mirrors,
    again,
    all,
    how,
    checking,
    counting,
    howHref: PATHS.howVerified,
    mismatch: { ...mismatch, what: mismatch.what(helpNumber.replaceAll(' ', '\u00a0')) },
  };
  return (
    <div class="checked" id="checked" data-log={VERIFY_LOG_SCRIPT} data-ed25519={ED25519_SCRIPT} data-mirrors={VERIFY_MIRRORS_SCRIPT}>
      <div role="status" data-checked-words="" />
      <div data-checked-more="" />
      {Object.entries(ICONS).map(([state, icon]) => (
        <template data-checked-icon={state}>
          <Icon name={icon} />
        </template>
      ))}
      <template id="evidence">{JSON.stringify({ evidence, says })}</template>
    </div>
  );
};

/** How a page checks itself: in a few sentences for anybody, then for whoever wants to know all of it. */
export const HowVerifiedPage = ({ frame }: { frame: Frame }): JSX.Element => {
  const words = t(frame.lang).evidence.page;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      {words.plain.map((text) => (
        <p class="lead">{text}</p>
      ))}
      <h2>{words.statesTitle}</h2>
      <ul>
        {words.states.map((text) => (
          <li>{text}</li>
        ))}
      </ul>
      <h2>{words.expertTitle}</h2>
      {words.expert.map((text) => (
        <p>{text}</p>
      ))}
      <p>
        <a href={PATHS.verify}>{t(frame.lang).shared.verify}</a>
      </p>
    </Layout>
  );
};
