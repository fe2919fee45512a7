import type { JSX } from 'hono/jsx/jsx-runtime';
import { t } from '../i18n/language.ts';
import { type RefusalFacts, refusalOf } from '../i18n/refusal.ts';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, ButtonLink } from './parts.tsx';
import { PATHS } from './paths.ts';

interface ErrorProps {
  readonly frame: Frame;
  /** A code of i18n/fr/refusals.ts; any other code gets the general sentence. */
  readonly code: string;
  readonly facts?: RefusalFacts;
  /** The protocol's own words (`error: error_description`), for whoever integrates. */
  readonly technical?: string;
  /** What may be done next, the main one first; by default, the home page. */
  readonly actions?: readonly { readonly href: string; readonly label: string }[];
}

/** Says what happened, what it changes, what to do. Serves every refusal and every fault, signed in or not. */
export const ErrorPage = ({ frame, code, facts, technical, actions }: ErrorProps): JSX.Element => {
  const words = t(frame.lang).shared;
  const refusal = refusalOf(code, frame.lang, facts);
  const next = actions ?? [{ href: PATHS.home, label: words.backToHome }];
  return (
    <Layout {...frame} title={refusal.title} error width="narrow">
      <h1>{refusal.title}</h1>
      <Alert tone="error">
        <p class="lead">{refusal.what}</p>
        <p>
          <b>{refusal.changes}</b>
        </p>
      </Alert>
      <p class="lead">{refusal.todo}</p>
      <Actions>
        {next.map(({ href, label }, index) => (
          <ButtonLink href={href} kind={index === 0 ? 'primary' : 'secondary'} id={`next-${index + 1}`}>
            {label}
          </ButtonLink>
        ))}
      </Actions>
      <p class="soft small">{words.codeOfThePage(refusal.code)}</p>
      {technical === undefined ? null : (
        <p class="soft small">
          <code>{technical}</code>
        </p>
      )}
    </Layout>
  );
};
