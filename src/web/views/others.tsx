import type { JSX } from 'hono/jsx/jsx-runtime';
import { t } from '../i18n/language.ts';
import { namedOrganisation } from '../i18n/names.ts';
import { themeList } from '../i18n/sentence.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Button, ButtonLink, type Post, PostForm } from './parts.tsx';

interface OthersProps {
  readonly frame: Frame;
  readonly post: Post;
  /** Madame Martin. */
  readonly person: string;
  /** The structure that she is about to give a mandate to. */
  readonly organisation: string;
  /** Mandates of other structures, with the themes in common. */
  readonly others: readonly { readonly id: string; readonly organisation: string; readonly themes: readonly string[] }[];
  readonly errors?: readonly FieldError[];
  readonly leaveHref: string;
}

/** Asks the person, and nobody else, what becomes of the mandates that other structures hold for the same themes. Nothing is chosen for her. */
export const OthersPage = ({ frame, post, person, organisation, others, errors, leaveHref }: OthersProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).ending.others;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={lang} errors={errors} />
      <h1>{words.title}</h1>
      <p class="lead">{words.forYou(person)}</p>
      <p>{words.why(organisation)}</p>
      <PostForm post={post} id="other-mandates">
        {others.map((other) => (
          <Choices
            lang={lang}
            id={`keep-${other.id}`}
            legend={words.which(namedOrganisation(other.organisation, lang), themeList(other.themes, lang))}
            error={errorOf(errors, `keep-${other.id}`)}
          >
            <Choice kind="radio" id={`keep-${other.id}`} name={other.id} value="keep" title={words.keep}>
              <span>{words.keepText}</span>
            </Choice>
            <Choice kind="radio" id={`stop-${other.id}`} name={other.id} value="stop" title={words.stop}>
              <span>{words.stopText(themeList(other.themes, lang))}</span>
            </Choice>
          </Choices>
        ))}
        <p>{words.later}</p>
        <Actions>
          <Button id="go-on">{words.button}</Button>
          <ButtonLink kind="quiet" href={leaveHref} id="leave">
            {words.leave}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};
