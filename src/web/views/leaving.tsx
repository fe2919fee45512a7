import { raw } from 'hono/html';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { t } from '../i18n/language.ts';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Button, ButtonLink } from './parts.tsx';
import { PATHS } from './paths.ts';

/** Id that the provider library gives to the form it hands over. */
const LOGOUT_FORM = 'op.logoutForm';
const CALLBACK_FORM = 'op.callbackForm';

/** Asks before ending the provider's session. `formHtml` is the library's own form, not escaped: our two buttons submit it. */
export const LogoutPage = ({ frame, formHtml }: { frame: Frame; formHtml: string }): JSX.Element => {
  const words = t(frame.lang).signIn.logout;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <p class="lead">{words.text}</p>
      {raw(formHtml)}
      <Actions>
        <Button form={LOGOUT_FORM} name="logout" value="yes" id="logout-yes">
          {words.yes}
        </Button>
        <Button form={LOGOUT_FORM} kind="secondary" id="logout-no">
          {words.no}
        </Button>
      </Actions>
    </Layout>
  );
};

/** Ends a request whose answer is posted to the service (`response_mode=form_post`). `formHtml` is not escaped: our button submits it. */
export const CallbackPage = ({ frame, formHtml }: { frame: Frame; formHtml: string }): JSX.Element => {
  const words = t(frame.lang).signIn.callback;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <p class="lead">{words.text}</p>
      {raw(formHtml)}
      <Actions>
        <Button form={CALLBACK_FORM} id="callback">
          {words.button}
        </Button>
      </Actions>
    </Layout>
  );
};

/** Nobody is signed in any more. */
export const SignedOutPage = ({ frame }: { frame: Frame }): JSX.Element => {
  const words = t(frame.lang).signIn.signedOut;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <p class="lead">{words.text}</p>
      <Actions>
        <ButtonLink href={PATHS.home} id="home">
          {words.again}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

/** The session goes on; the page where it was asked for is still open, as it was. */
export const StayedPage = ({ frame, end }: { frame: Frame; end: string }): JSX.Element => {
  const words = t(frame.lang).shared.session;
  return (
    <Layout {...frame} title={words.stayed} width="narrow">
      <h1>{words.stayed}</h1>
      <p class="lead" role="status">
        {words.stayedText(end)}
      </p>
      <p>{words.stayedNext}</p>
    </Layout>
  );
};

interface InfoProps {
  readonly frame: Frame;
  readonly page: 'accessibility' | 'personalData' | 'verify';
  /** The signed checkpoint, shown as it is on the page about verifying. */
  readonly checkpointNote?: string;
}

/** The plain information pages of the footer. */
export const InfoPage = ({ frame, page, checkpointNote }: InfoProps): JSX.Element => {
  const words = t(frame.lang).signIn.info;
  return (
    <Layout {...frame} title={words[page].title} width="narrow">
      <h1>{words[page].title}</h1>
      {words[page].text.map((text) => (
        <p>{text}</p>
      ))}
      {checkpointNote === undefined ? null : (
        <>
          <h2>{words.verify.checkpoint}</h2>
          <pre class="note" tabindex={0}>
            {checkpointNote}
          </pre>
        </>
      )}
    </Layout>
  );
};
