import type { JSX } from 'hono/jsx/jsx-runtime';
import { t } from '../i18n/language.ts';
import { ErrorSummary, errorOf, type FieldError, Input } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, type Post, PostForm } from './parts.tsx';
import { PATHS } from './paths.ts';

/** Asks for an address, nobody signed in. What was typed is not shown again. */
export const LostPage = ({ frame, post, errors }: { frame: Frame; post: Post; errors?: readonly FieldError[] }): JSX.Element => {
  const words = t(frame.lang).lost;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      <p class="lead">{words.intro}</p>
      <ol>
        {words.steps.map((step) => (
          <li>{step}</li>
        ))}
      </ol>
      <PostForm post={post} id="lost-report">
        <Input
          lang={frame.lang}
          id="email"
          label={words.label}
          hint={words.hint}
          error={errorOf(errors, 'email')}
          required
          type="email"
          autocomplete="email"
          maxlength={254}
        />
        <Actions>
          <Button id="lost-send">{words.button}</Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};

/** The same for every address (claim S11). */
export const LostSentPage = ({ frame }: { frame: Frame }): JSX.Element => {
  const words = t(frame.lang).lost.sent;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <Alert role="status">
        <p class="lead">{words.text}</p>
      </Alert>
      <p>{words.next}</p>
      <p>{words.help(frame.helpNumber)}</p>
    </Layout>
  );
};

/** What the link opens: what will happen, and the button that does it. */
export const LostConfirmPage = ({ frame, post }: { frame: Frame; post: Post }): JSX.Element => {
  const words = t(frame.lang).lost.confirm;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <p class="lead">{words.intro}</p>
      <ul>
        {words.effects.map((effect) => (
          <li>{effect}</li>
        ))}
      </ul>
      <p>{words.kept}</p>
      <PostForm post={post} id="lost-confirm">
        <Actions>
          <Button kind="stop" id="suspend-me">
            {words.button}
          </Button>
        </Actions>
      </PostForm>
      <p>{words.mistake}</p>
    </Layout>
  );
};

export const LostDonePage = ({ frame }: { frame: Frame }): JSX.Element => {
  const words = t(frame.lang).lost.done;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <Alert tone="success" role="status">
        <p class="lead">{words.text}</p>
      </Alert>
      <p>{words.back(frame.helpNumber)}</p>
      <Actions>
        <ButtonLink kind="secondary" href={PATHS.home} id="home">
          {t(frame.lang).shared.backToHome}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
