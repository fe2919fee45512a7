import type { JSX } from 'hono/jsx/jsx-runtime';
import { dayAndTime, plainDay } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { CodeField, ErrorSummary, errorOf, type FieldError, Input } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Empty, Facts, Link, type Post, PostForm } from './parts.tsx';
import { PasskeyButton } from './passkey.tsx';

interface KeyCard {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
}

interface SecurityProps {
  readonly frame: Frame;
  readonly keys: readonly KeyCard[];
  /** Recovery codes that are left. */
  readonly left: number;
  /** Absent when no factor was accepted in the last five minutes: then nothing can be changed before `proveHref`. */
  readonly change?: { readonly add: Post; readonly recovery: Post; readonly revoke: (id: string) => Post };
  readonly proveHref: string;
  readonly backHref: string;
  /** What has just been done: a key of `security.done`. */
  readonly done?: string | undefined;
  readonly errors?: readonly FieldError[];
}

const Keys = ({ frame, keys, change }: SecurityProps): JSX.Element => {
  const words = t(frame.lang).security.keys;
  if (keys.length === 0)
    return (
      <Empty title={words.none}>
        <p>{words.why}</p>
      </Empty>
    );
  return (
    <ul class="cards">
      {keys.map((key) => (
        <li class="fr-card" id={key.id}>
          <h3 class="fr-card__title">{key.name}</h3>
          <Facts
            items={[
              [words.added, plainDay(key.createdAt, frame.lang)],
              [words.used, key.lastUsedAt ? dayAndTime(key.lastUsedAt, frame.lang) : words.never],
            ]}
          />
          {change === undefined ? null : (
            <PostForm post={change.revoke(key.id)} id={`revoke-${key.id}`}>
              <Actions>
                <Button kind="stop" id={`revoke-button-${key.id}`} more={words.revokeMore(key.name)}>
                  {words.revoke}
                </Button>
              </Actions>
            </PostForm>
          )}
        </li>
      ))}
    </ul>
  );
};

/** A person's own means: passkeys, the code, recovery codes. */
export const SecurityPage = (props: SecurityProps): JSX.Element => {
  const { frame, change, left, errors } = props;
  const words = t(frame.lang).security;
  const done = props.done === undefined ? undefined : lookUp(words.done, props.done);
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      {done === undefined ? null : (
        <Alert tone="success" role="status">
          <p>{done}</p>
        </Alert>
      )}
      {change === undefined ? (
        <Alert title={words.fresh.title}>
          <p>{words.fresh.text}</p>
          <Actions>
            <ButtonLink href={props.proveHref} id="prove">
              {words.fresh.button}
            </ButtonLink>
          </Actions>
        </Alert>
      ) : null}
      <h2>{words.keys.title}</h2>
      <Keys {...props} />
      {change === undefined ? null : (
        <PostForm post={change.add} id="add-passkey">
          <Input
            lang={frame.lang}
            id="name"
            label={words.keys.name}
            hint={words.keys.nameHint}
            error={errorOf(errors, 'name')}
            required
            maxlength={60}
            autocomplete="off"
          />
          <Actions>
            <Button id="add-passkey-button">{words.keys.add}</Button>
          </Actions>
        </PostForm>
      )}
      <h2>{words.code.title}</h2>
      <p>{words.code.text}</p>
      <h2>{words.recovery.title}</h2>
      <p>{words.recovery.text}</p>
      <p id="recovery-left">{words.recovery.left(left)}</p>
      {change === undefined ? null : (
        <PostForm post={change.recovery} id="make-recovery">
          <Actions>
            <Button kind="secondary" id="make-recovery-button">
              {left > 0 ? words.recovery.again : words.recovery.make}
            </Button>
          </Actions>
        </PostForm>
      )}
      <p>
        <Link href={props.backHref} id="back">
          {t(frame.lang).shared.back}
        </Link>
      </p>
    </Layout>
  );
};

interface NewKeyProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly options: string;
  readonly name: string;
  readonly backHref: string;
}

/** Makes the key on the device, then sends it. Needs a script: only a browser can make a passkey. */
export const NewPasskeyPage = ({ frame, post, options, name, backHref }: NewKeyProps): JSX.Element => {
  const words = t(frame.lang).security.create;
  return (
    <Layout {...frame} title={words.title} width="narrow" script>
      <h1>{words.title}</h1>
      <p class="lead">{words.text(name)}</p>
      <PostForm post={post} id="create-passkey">
        <PasskeyButton lang={frame.lang} id="create-passkey-button" kind="create" options={options} label={words.button} />
      </PostForm>
      <noscript>
        <Alert tone="warning">
          <p>{words.noScript}</p>
        </Alert>
      </noscript>
      <p>
        <Link href={backHref} id="back">
          {t(frame.lang).shared.back}
        </Link>
      </p>
    </Layout>
  );
};

/** Ten codes, shown once. */
export const RecoveryCodesPage = ({ frame, codes, backHref }: { frame: Frame; codes: readonly string[]; backHref: string }): JSX.Element => {
  const words = t(frame.lang).security.recovery;
  return (
    <Layout {...frame} title={words.madeTitle} width="narrow">
      <h1>{words.madeTitle}</h1>
      <Alert tone="warning">
        <p>{words.once}</p>
      </Alert>
      <ol id="recovery-codes">
        {codes.map((code) => (
          <li>
            <span class="nowrap">{code}</span>
          </li>
        ))}
      </ol>
      <p class="soft">{t(frame.lang).shared.printHint}</p>
      <Actions>
        <ButtonLink href={backHref} id="back">
          {words.kept}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

interface ProveProps {
  readonly frame: Frame;
  readonly post: Post;
  /** What a passkey is asked; absent when the person has none. */
  readonly passkey?: string | undefined;
  readonly errors?: readonly FieldError[];
}

/** Asks again for a factor before a change, or for a service (`signInHref`: where it may be done at ProConnect instead), of somebody signed in (claim S9). */
export const StepUpPage = ({ frame, post, passkey, signInHref, errors }: ProveProps & { readonly signInHref?: string }): JSX.Element => {
  const words = t(frame.lang).security;
  const factor = t(frame.lang).signIn.factor;
  return (
    <Layout {...frame} title={words.stepUp.title} error={(errors?.length ?? 0) > 0} width="narrow" script={passkey !== undefined}>
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.stepUp.title}</h1>
      <p class="lead">{signInHref === undefined ? words.stepUp.text : words.stepUp.forSite}</p>
      {passkey === undefined ? null : (
        <PostForm post={post} id="step-up-passkey">
          <PasskeyButton lang={frame.lang} id="use-passkey" kind="get" options={passkey} label={words.use} />
        </PostForm>
      )}
      <PostForm post={post} id="step-up">
        <CodeField lang={frame.lang} label={factor.label} hint={factor.hint} error={errorOf(errors, 'code')} />
        <Actions>
          <Button id="check-code">{factor.button}</Button>
        </Actions>
      </PostForm>
      {signInHref === undefined ? null : (
        <p>
          <Link href={signInHref} id="use-proconnect">
            {words.stepUp.proconnect}
          </Link>
        </p>
      )}
    </Layout>
  );
};

/** Signs in with a recovery code. */
export const RecoverySignInPage = ({ frame, post, errors }: ProveProps): JSX.Element => {
  const words = t(frame.lang).security.recovery;
  return (
    <Layout {...frame} title={words.signInTitle} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.signInTitle}</h1>
      <p class="lead">{words.signInText}</p>
      <PostForm post={post} id="recovery">
        <Input
          lang={frame.lang}
          id="recovery-code"
          name="recovery"
          label={words.label}
          hint={words.hint}
          error={errorOf(errors, 'recovery-code')}
          required
          maxlength={30}
          autocomplete="off"
        />
        <Actions>
          <Button id="check-recovery">{words.button}</Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};
