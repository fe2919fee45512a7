import type { ProviderPages } from '../provider/parts.ts';
import { ErrorPage } from './views/error.tsx';
import type { Frame } from './views/layout.tsx';
import { CallbackPage, LogoutPage, SignedOutPage } from './views/leaving.tsx';
import { render } from './views/render.ts';

/** Codes of the library's errors that have a sentence of their own. Every other one is a request that a service got wrong. */
const CODES: Readonly<Record<string, string>> = {
  access_denied: 'access_denied',
  server_error: 'unexpected',
  temporarily_unavailable: 'unavailable',
};

/** The pages that the provider shows by itself, in our own words and look. */
export const createProviderPages = (config: { readonly helpNumber: string }): ProviderPages => {
  const frame: Frame = { lang: 'fr', helpNumber: config.helpNumber, languageHref: '/?lang=en' };
  return {
    error: async ({ error, known }) =>
      render(
        <ErrorPage frame={frame} code={known ? (CODES[error] ?? 'invalid_request') : 'interaction_expired'} facts={{ help: config.helpNumber }} />,
      ),
    logout: async (formHtml) => render(<LogoutPage frame={frame} formHtml={formHtml} />),
    callback: async (formHtml) => render(<CallbackPage frame={frame} formHtml={formHtml} />),
    loggedOut: async () => render(<SignedOutPage frame={frame} />),
  };
};
