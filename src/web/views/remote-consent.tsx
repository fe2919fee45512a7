import type { JSX } from 'hono/jsx/jsx-runtime';
import { birthday, dayAndTime } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError, Input, Select } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Empty, Facts, type Post, PostForm } from './parts.tsx';

export interface CandidateLine {
  readonly id: string;
  readonly name: string;
  readonly birthdate: string;
  /** As it may be shown; undefined when none is known. */
  readonly phone: string | undefined;
  /** Codes of why it cannot carry consent. */
  readonly weak: readonly string[];
}

interface AskProps {
  readonly frame: Frame;
  readonly post: Post;
  /** Absent when no factor was accepted in the last five minutes: then no number is noted before `proveHref` (claim S9). */
  readonly note?: Post | undefined;
  readonly proveHref: string;
  readonly backHref: string;
  readonly people: readonly CandidateLine[];
  readonly chosen?: string;
  readonly noted?: boolean;
  readonly errors?: readonly FieldError[];
}

const Person = ({ frame, person, index, chosen }: { frame: Frame; person: CandidateLine; index: number; chosen: boolean }): JSX.Element => {
  const words = t(frame.lang).remote.ask;
  const usable = person.phone !== undefined && person.weak.length === 0;
  return (
    <Choice kind="radio" id={`person-${index + 1}`} name="person" value={person.id} disabled={!usable} checked={chosen && usable} title={person.name}>
      <span class="soft">{words.born(birthday(person.birthdate, frame.lang))}</span>
      {person.phone === undefined ? <span>{words.noPhone}</span> : <span>{words.phone(person.phone)}</span>}
      {person.phone === undefined || usable ? null : (
        <span>
          {words.why} {person.weak.map((reason) => lookUp(words.weak, reason) ?? reason).join(' ')}
        </span>
      )}
    </Choice>
  );
};

const ProveFirst = ({ lang, href }: { lang: Lang; href: string }): JSX.Element => {
  const words = t(lang).security.fresh;
  return (
    <Alert title={words.title}>
      <p>{words.text}</p>
      <Actions>
        <ButtonLink kind="secondary" href={href} id="prove">
          {words.button}
        </ButtonLink>
      </Actions>
    </Alert>
  );
};

/** Whom to ask by SMS, among the people of the organisation. Sends `person` and `recap_asked`; the second form, `person` and `phone`. */
export const RemoteAskPage = ({ frame, post, note, proveHref, backHref, people, chosen, noted, errors }: AskProps): JSX.Element => {
  const words = t(frame.lang).remote;
  return (
    <Layout {...frame} title={words.ask.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.ask.title}</h1>
      {noted ? (
        <Alert tone="success" role="status">
          <p>{words.note.done}</p>
        </Alert>
      ) : null}
      <p>{words.ask.intro}</p>
      {people.length === 0 ? (
        <Empty title={words.ask.nobody}>
          <p>{words.ask.nobodyText}</p>
        </Empty>
      ) : (
        <>
          <PostForm post={post} id="ask-by-sms">
            <Choices lang={frame.lang} id="person-1" legend={words.ask.who} hint={words.ask.hint} error={errorOf(errors, 'person-1')}>
              {people.map((person, index) => (
                <Person frame={frame} person={person} index={index} chosen={person.id === chosen} />
              ))}
            </Choices>
            <Choices lang={frame.lang} id="recap-asked" legend={words.note.person} error={errorOf(errors, 'recap-asked')}>
              <Choice kind="checkbox" id="recap-asked" name="recap_asked" value="yes" title={words.ask.asked} />
            </Choices>
            <Actions>
              <Button id="send-sms">{words.ask.send}</Button>
            </Actions>
          </PostForm>
          <h2>{words.note.title}</h2>
          <p>{words.note.text}</p>
          {note === undefined ? (
            <ProveFirst lang={frame.lang} href={proveHref} />
          ) : (
            <PostForm post={note} id="note-phone">
              <Select id="person" label={words.note.person} options={people.map(({ id, name }) => [id, name] as const)} />
              <Input
                lang={frame.lang}
                id="phone"
                label={words.note.phone}
                hint={words.note.example}
                error={errorOf(errors, 'phone')}
                autocomplete="off"
                maxlength={40}
                required
              />
              <Actions>
                <Button kind="secondary" id="note-phone-send">
                  {words.note.button}
                </Button>
              </Actions>
            </PostForm>
          )}
        </>
      )}
      <Actions>
        <ButtonLink kind="quiet" href={backHref} id="back">
          {words.ask.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

interface WaitProps {
  readonly frame: Frame;
  readonly state: string;
  readonly person: string;
  readonly phone: string;
  readonly askedAt: Date;
  readonly selfHref: string;
  /** True when the aidant asked the page to read itself again: nobody is interrupted who did not choose it (RGAA 13.1). */
  readonly following?: boolean;
  readonly signHref: string;
  readonly otherWayHref: string;
  readonly againHref: string;
}

const TONES: Readonly<Record<string, 'success' | 'warning' | 'error'>> = {
  yes: 'success',
  gateway_silent: 'warning',
  not_delivered: 'warning',
  unclear: 'warning',
  no: 'error',
  expired: 'error',
};
const OVER = ['yes', 'no', 'expired'];

/** The waiting room: what is known of the question now. On request it asks for itself again while an answer may come. */
export const RemoteWaitPage = (props: WaitProps): JSX.Element => {
  const { frame, state } = props;
  const words = t(frame.lang).remote.wait;
  const said = (Object.hasOwn(words.states, state) ? words.states[state] : undefined) ?? { title: words.title, text: words.refresh };
  const over = OVER.includes(state);
  return (
    <Layout {...frame} title={words.title} width="narrow" refreshSeconds={props.following && !over ? 15 : undefined}>
      <h1>{words.title}</h1>
      <Alert tone={TONES[state] ?? 'info'} title={said.title} role="status">
        <p>{said.text}</p>
      </Alert>
      <Facts
        items={[
          [words.person, props.person],
          [words.phone, props.phone],
          [words.askedAt, dayAndTime(props.askedAt, frame.lang)],
          [words.until, over ? undefined : words.untilText],
        ]}
      />
      {props.following && !over ? <p class="soft">{words.every}</p> : null}
      <Actions>
        {state === 'yes' ? (
          <ButtonLink href={props.signHref} id="sign">
            {words.sign}
          </ButtonLink>
        ) : null}
        {over ? null : (
          <ButtonLink href={props.selfHref} id="refresh">
            {words.refresh}
          </ButtonLink>
        )}
        {over ? null : (
          <ButtonLink kind="secondary" href={props.following ? props.selfHref : `${props.selfHref}?suivre=1`} id="follow">
            {props.following ? words.stopFollowing : words.follow}
          </ButtonLink>
        )}
        {state === 'expired' ? (
          <ButtonLink href={props.againHref} id="ask-again">
            {words.again}
          </ButtonLink>
        ) : null}
        {state === 'yes' || state === 'no' ? null : (
          <ButtonLink kind="secondary" href={props.otherWayHref} id="other-way">
            {words.otherWay}
          </ButtonLink>
        )}
        <ButtonLink kind="quiet" href="/aidant" id="home">
          {words.home}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

interface PhoneProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly confirm: Post;
  /** Numbers as they may be shown, with who entered them. */
  readonly phones: readonly { readonly shown: string; readonly byAidant: boolean }[];
  /** The number to which a code has left. */
  readonly pending?: string | undefined;
  readonly done?: boolean;
  readonly errors?: readonly FieldError[];
}

/** The person's own number. Sends `phone`, then `code`. */
export const UsagerPhonePage = ({ frame, post, confirm, phones, pending, done, errors }: PhoneProps): JSX.Element => {
  const words = t(frame.lang).remote.phone;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      {done ? (
        <Alert tone="success" role="status">
          <p>{words.done}</p>
        </Alert>
      ) : null}
      <p>{words.why}</p>
      {phones.length === 0 ? <p>{words.none}</p> : null}
      <Facts items={phones.map(({ shown, byAidant }) => [words.mine, byAidant ? `${shown} – ${words.noted}` : shown] as const)} />
      {pending === undefined ? null : (
        <PostForm post={confirm} id="confirm-phone">
          <p>{words.codeSent(pending)}</p>
          <Input
            lang={frame.lang}
            id="code"
            label={words.code}
            hint={words.codeHint}
            error={errorOf(errors, 'code')}
            class="fr-input--code"
            autocomplete="one-time-code"
            inputmode="numeric"
            maxlength={7}
            required
          />
          <Actions>
            <Button id="confirm-code">{words.confirm}</Button>
          </Actions>
        </PostForm>
      )}
      <PostForm post={post} id="add-phone">
        <Input
          lang={frame.lang}
          id="phone"
          label={words.label}
          hint={words.example}
          error={errorOf(errors, 'phone')}
          autocomplete="tel"
          maxlength={40}
          required
        />
        <Actions>
          <Button kind={pending === undefined ? 'primary' : 'secondary'} id="send-code">
            {words.send}
          </Button>
          <ButtonLink kind="quiet" href="/usager" id="back">
            {words.back}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};
