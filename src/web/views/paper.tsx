import type { JSX } from 'hono/jsx/jsx-runtime';
import { birthday } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError, Input } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Facts, type Post, PostForm, Unbroken } from './parts.tsx';

/** Ids of the fields of a typed identity, which are their names too. */
export const TYPED_FIELDS = {
  givenName: 'given-name',
  familyName: 'family-name',
  usedName: 'used-name',
  birthdate: 'birthdate',
  birthCode: 'birth-code',
  gender: 'gender-female',
} as const;

interface WhoProps {
  readonly frame: Frame;
  readonly post: Post;
  /** For somebody whose identity is typed; absent when the draft renews somebody's mandate. */
  readonly enter?: Post;
  readonly backHref: string;
  readonly people: readonly { readonly id: string; readonly name: string; readonly birthdate: string }[];
  readonly chosen?: string;
  readonly typed?: Readonly<Partial<Record<keyof typeof TYPED_FIELDS, string>>>;
  readonly errors?: readonly FieldError[];
}

const Typed = ({ frame, enter, typed = {}, errors }: WhoProps & { readonly enter: Post }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).paper.who;
  const line = (field: Exclude<keyof typeof TYPED_FIELDS, 'gender'>, label: string, hint?: string): JSX.Element => (
    <Input
      lang={lang}
      id={TYPED_FIELDS[field]}
      label={label}
      value={typed[field] ?? ''}
      error={errorOf(errors, TYPED_FIELDS[field])}
      autocomplete="off"
      maxlength={80}
      required={field !== 'usedName'}
      {...(hint === undefined ? {} : { hint })}
    />
  );
  return (
    <PostForm post={enter} id="paper-typed">
      <Choices lang={lang} id={TYPED_FIELDS.gender} legend={words.gender} error={errorOf(errors, TYPED_FIELDS.gender)}>
        <Choice kind="radio" id={TYPED_FIELDS.gender} name="gender" value="female" checked={typed.gender === 'female'} title={words.female} />
        <Choice kind="radio" id="gender-male" name="gender" value="male" checked={typed.gender === 'male'} title={words.male} />
      </Choices>
      {line('givenName', words.givenName, words.givenNameHint)}
      {line('familyName', words.familyName)}
      {line('usedName', words.usedName)}
      {line('birthdate', words.birthdate, words.birthdateHint)}
      {line('birthCode', words.birthCode, words.birthCodeHint)}
      <Actions>
        <Button kind="secondary" id="paper-enter">
          {words.enter}
        </Button>
      </Actions>
    </PostForm>
  );
};

/** Whose mandate is signed by hand: somebody known (`person`), or an identity copied from a paper. */
export const PaperPersonPage = (props: WhoProps): JSX.Element => {
  const { frame, post, enter, backHref, people, chosen, errors } = props;
  const words = t(frame.lang).paper.who;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      <p>{words.intro}</p>
      <Alert tone="warning">
        <p>{words.limit}</p>
      </Alert>
      {people.length === 0 ? (
        <p>{words.nobody}</p>
      ) : (
        <PostForm post={post} id="paper-known">
          <Choices lang={frame.lang} id="person-1" legend={words.known} hint={words.knownHint} error={errorOf(errors, 'person-1')}>
            {people.map((person, index) => (
              <Choice kind="radio" id={`person-${index + 1}`} name="person" value={person.id} checked={person.id === chosen} title={person.name}>
                <span class="soft">{words.born(birthday(person.birthdate, frame.lang))}</span>
              </Choice>
            ))}
          </Choices>
          <Actions>
            <Button id="paper-choose">{words.choose}</Button>
          </Actions>
        </PostForm>
      )}
      {enter === undefined ? null : (
        <>
          <h2>{words.other}</h2>
          <p>{words.otherText}</p>
          <Typed {...props} enter={enter} />
        </>
      )}
      <Actions>
        <ButtonLink kind="quiet" href={backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

interface CopyProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly count: number;
  readonly readHref: string;
}

/** Sends the file `scan`, and leads to the copy that is kept. */
const CopyForm = ({ frame, post, count, readHref }: CopyProps): JSX.Element => {
  const words = t(frame.lang).paper.sheet;
  return (
    <section aria-labelledby="copy-title" class="no-print">
      <h2 id="copy-title">{words.copyTitle}</h2>
      <p>
        {words.copies(count)} {words.copyNote}
      </p>
      <form method="post" action={post.action} id="paper-copy" enctype="multipart/form-data" novalidate>
        <input type="hidden" name="_csrf" value={post.csrf} />
        <div class="fr-input-group">
          <label class="fr-label" for="scan">
            {words.copyFile}
          </label>
          <input class="fr-input" type="file" id="scan" name="scan" accept=".pdf,.jpg,.jpeg,.png" required />
        </div>
        <Actions>
          <Button kind="secondary" id="send-copy">
            {words.copySend}
          </Button>
          {count === 0 ? null : (
            <ButtonLink kind="quiet" href={readHref} id="read-copy">
              {words.copyRead}
            </ButtonLink>
          )}
        </Actions>
      </form>
    </section>
  );
};

interface SheetProps {
  readonly copy?: Omit<CopyProps, 'frame'>;
  readonly frame: Frame;
  readonly state: 'waiting' | 'seen' | 'ended';
  readonly person: string;
  readonly reference: string;
  readonly witness?: string;
  readonly printHref: string;
  readonly pdfHref: string;
  readonly selfHref: string;
  readonly signHref: string;
  readonly otherHref: string;
}
const TONES = { waiting: 'info', seen: 'success', ended: 'error' } as const;

/** The sheet's state, what to do with it, and where to print it. */
export const PaperSheetPage = (props: SheetProps): JSX.Element => {
  const { frame, state, reference } = props;
  const words = t(frame.lang).paper.sheet;
  const said = { waiting: words.waitingText, seen: words.seenText(props.witness ?? ''), ended: words.endedText }[state];
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <Alert tone={TONES[state]} title={words[state]} role="status">
        <p>{said}</p>
      </Alert>
      <Facts
        items={[
          [words.person, props.person],
          [words.reference, <b id="paper-reference">{reference}</b>],
          [words.until, state === 'waiting' ? words.untilText : undefined],
        ]}
      />
      {state === 'waiting' ? (
        <>
          <h2>{words.stepsTitle}</h2>
          <ol class="steps">
            {words.steps(reference).map((text) => (
              <li>
                <Unbroken text={text} piece={reference} />
              </li>
            ))}
          </ol>
        </>
      ) : null}
      <Actions>
        {state === 'seen' ? (
          <ButtonLink href={props.signHref} id="sign">
            {words.sign}
          </ButtonLink>
        ) : null}
        {state === 'waiting' ? (
          <>
            <ButtonLink href={props.printHref} id="paper-print">
              {words.print}
            </ButtonLink>
            <ButtonLink kind="secondary" href={props.pdfHref} id="paper-pdf">
              {words.pdf}
            </ButtonLink>
            <ButtonLink kind="secondary" href={props.selfHref} id="refresh">
              {words.refresh}
            </ButtonLink>
            <ButtonLink kind="quiet" href={props.otherHref} id="other-person">
              {words.otherPerson}
            </ButtonLink>
          </>
        ) : null}
        {state === 'ended' ? (
          <ButtonLink href="/aidant/mandats/nouveau" id="again">
            {words.again}
          </ButtonLink>
        ) : null}
        <ButtonLink kind="quiet" href="/aidant" id="home">
          {words.home}
        </ButtonLink>
      </Actions>
      {props.copy === undefined ? null : <CopyForm frame={frame} {...props.copy} />}
    </Layout>
  );
};
