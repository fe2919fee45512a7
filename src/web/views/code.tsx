import { raw } from 'hono/html';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { t } from '../i18n/language.ts';
import { CodeField, ErrorSummary, errorOf, type FieldError } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Link, type Post, PostForm } from './parts.tsx';
import { PasskeyButton } from './passkey.tsx';
import { PATHS } from './paths.ts';

interface FactorProps {
  readonly frame: Frame;
  readonly post: Post;
  /** Errors of the field `code`: wrong_code, code_already_used, too_many_codes, code_format. */
  readonly errors?: readonly FieldError[];
}

interface SecondFactorProps extends FactorProps {
  /** What a passkey is asked; absent when the person has none. */
  readonly passkey?: string | undefined;
  readonly recoveryHref?: string | undefined;
}

/** Asks for the second factor: a passkey where the person has one, and the six digits always. */
export const SecondFactorPage = ({ frame, post, errors, passkey, recoveryHref }: SecondFactorProps): JSX.Element => {
  const words = t(frame.lang).signIn.factor;
  const means = t(frame.lang).security;
  const title = passkey === undefined ? words.title : means.stepUp.title;
  return (
    <Layout {...frame} title={title} error={(errors?.length ?? 0) > 0} width="narrow" script={passkey !== undefined}>
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{title}</h1>
      {passkey === undefined ? null : (
        <>
          <p class="lead">{means.keyIntro}</p>
          <PostForm post={post} id="second-factor-passkey">
            <PasskeyButton lang={frame.lang} id="use-passkey" kind="get" options={passkey} label={means.use} />
          </PostForm>
          <h2>{means.orCode}</h2>
        </>
      )}
      <p class={passkey === undefined ? 'lead' : undefined}>{words.intro}</p>
      <PostForm post={post} id="second-factor">
        <CodeField lang={frame.lang} label={words.label} hint={words.hint} error={errorOf(errors, 'code')} />
        <Actions>
          <Button id="check-code">{words.button}</Button>
        </Actions>
      </PostForm>
      {recoveryHref === undefined ? null : (
        <p>
          <Link href={recoveryHref} id="use-recovery">
            {means.recovery.link}
          </Link>
        </p>
      )}
      <p>
        <Link href={PATHS.lost} id="lost">
          {t(frame.lang).lost.title}
        </Link>
      </p>
      <p class="soft">{words.lost(frame.helpNumber)}</p>
    </Layout>
  );
};

/** What the one-time link opens: it says what will happen, and does nothing until its button is pressed. */
export const EnrolmentStartPage = ({ frame, post }: { frame: Frame; post: Post }): JSX.Element => {
  const words = t(frame.lang).signIn.enrolment;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <p class="lead">{words.why}</p>
      <p>
        <b>{words.needTitle}</b>
      </p>
      <ul>
        {words.need.map((item) => (
          <li>{item}</li>
        ))}
      </ul>
      <Alert>
        <p>{words.once}</p>
      </Alert>
      <PostForm post={post} id="enrolment-start">
        <Actions>
          <Button id="begin-enrolment">{words.begin}</Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};

interface SeedProps extends FactorProps {
  /** SVG made by our own code from the provisioning address; it is not escaped. */
  readonly qrSvg: string;
  /** The same key in base 32; shown in groups of four. */
  readonly secretKey: string;
}

/** Shows the key once, as a drawing and as text, and asks for the first code. */
export const EnrolmentKeyPage = ({ frame, post, errors, qrSvg, secretKey }: SeedProps): JSX.Element => {
  const words = t(frame.lang).signIn.enrolment;
  const factor = t(frame.lang).signIn.factor;
  return (
    <Layout {...frame} title={words.scanTitle} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.scanTitle}</h1>
      <p>{words.scan}</p>
      <div class="qr" role="img" aria-label={words.scanAlternative}>
        {raw(qrSvg)}
      </div>
      <p>{words.orKey}</p>
      <p class="key" id="totp-key">
        {(secretKey.match(/.{1,4}/g) ?? []).map((group) => (
          <>
            <span>{group}</span>{' '}
          </>
        ))}
      </p>
      <p class="soft">{words.keyNote}</p>
      <PostForm post={post} id="enrolment-confirm">
        <CodeField lang={frame.lang} label={words.firstCode} hint={factor.hint} error={errorOf(errors, 'code')} />
        <Actions>
          <Button id="finish-enrolment">{words.finish}</Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};

/** The second factor is ready: the next step is an ordinary sign-in. */
export const EnrolmentDonePage = ({ frame, signInHref }: { frame: Frame; signInHref: string }): JSX.Element => {
  const words = t(frame.lang).signIn.enrolment.done;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <Alert tone="success" role="status">
        <p class="lead">{words.text}</p>
      </Alert>
      <Actions>
        <ButtonLink href={signInHref} id="sign-in">
          {words.signIn}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
