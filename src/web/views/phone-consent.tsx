import { raw } from 'hono/html';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { dayAndTime, time } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { namedOrganisation } from '../i18n/names.ts';
import { type Frame, Layout } from './layout.tsx';
import type { MandateTextData } from './mandate-blocks.ts';
import { MandateText } from './mandate-text.tsx';
import { Actions, Alert, Button, ButtonLink, type Post, PostForm } from './parts.tsx';

interface Code {
  /** Made by our own code from our own address: not escaped. */
  readonly qrSvg: string;
  /** What stands before the groups, as one types it. */
  readonly address: string;
  readonly groups: readonly string[];
  readonly minutes: number;
  readonly until: Date;
}

interface WaitProps {
  readonly frame: Frame;
  readonly standing: string;
  /** Why the last attempt was no consent. */
  readonly refusal?: string;
  /** While the link is open. */
  readonly code?: Code;
  /** True when the aidant asked the page to read itself again (RGAA 13.1). */
  readonly following: boolean;
  /** Makes a new link. */
  readonly again: Post;
  /** True when the draft itself has come to its end: no new link can be made. */
  readonly draftOver: boolean;
  readonly selfHref: string;
  readonly signHref: string;
  readonly otherWayHref: string;
  readonly restartHref: string;
}

const TONES: Readonly<Record<string, 'success' | 'warning' | 'error'>> = { yes: 'success', no: 'error', over: 'warning', refused: 'warning' };

const ShownCode = ({ frame, code }: { frame: Frame; code: Code }): JSX.Element => {
  const words = t(frame.lang).phone.wait;
  return (
    <>
      <div class="phone-code">
        <div class="qr qr--large" id="phone-qr" role="img" aria-label={words.qr}>
          {raw(code.qrSvg)}
        </div>
        <div>
          <h2>{words.see}</h2>
          <ol class="steps">
            {words.steps.map((step) => (
              <li>{step}</li>
            ))}
          </ol>
        </div>
      </div>
      <p>{words.type}</p>
      <p>
        <span class="key key--address" id="phone-address">
          {code.address}
          {code.groups.map((group, i) => (
            <>
              <wbr />
              <span>
                {i === 0 ? '' : '-'}
                {group}
              </span>
            </>
          ))}
        </span>
      </p>
    </>
  );
};

/** The aidant's page while the person answers on her own telephone. The script reads it again by itself; the button does without it. */
export const PhoneWaitPage = (props: WaitProps): JSX.Element => {
  const { frame, standing, code, following } = props;
  const { lang } = frame;
  const words = t(lang).phone.wait;
  const said = lookUp(words.states, standing) ?? words.title;
  return (
    <Layout
      {...frame}
      title={words.title}
      width="narrow"
      refreshSeconds={following && code ? 15 : undefined}
      follows={code !== undefined && !following}
    >
      <h1>{words.title}</h1>
      <div id="wait-status" data-live role="status">
        <Alert tone={TONES[standing] ?? 'info'} title={said}>
          {props.refusal === undefined || standing !== 'refused' ? null : <p>{lookUp(t(lang).journal.because, props.refusal)}</p>}
          <p>{lookUp(words.texts, standing)}</p>
        </Alert>
      </div>
      <div id="wait-left" data-live>
        {code === undefined ? null : <p>{words.left(code.minutes, time(code.until, lang))}</p>}
      </div>
      <div id="wait-body" data-live data-wait={code === undefined ? 'over' : 'open'} data-wait-next={standing === 'yes' ? props.signHref : undefined}>
        {code === undefined ? null : <ShownCode frame={frame} code={code} />}
        <Actions>
          {standing === 'yes' ? (
            <ButtonLink href={props.signHref} id="sign">
              {words.sign}
            </ButtonLink>
          ) : null}
          {code === undefined ? null : (
            <ButtonLink href={following ? `${props.selfHref}?suivre=1` : props.selfHref} id="refresh">
              {words.refresh}
            </ButtonLink>
          )}
          {standing === 'yes' || props.draftOver ? null : (
            <PostForm post={props.again} id="new-code">
              <Button kind={code === undefined ? 'primary' : 'secondary'} id="make-code">
                {words.again}
              </Button>
            </PostForm>
          )}
          {standing !== 'yes' && props.draftOver ? (
            <ButtonLink href={props.restartHref} id="restart">
              {words.restart}
            </ButtonLink>
          ) : null}
          {standing === 'yes' || props.draftOver ? null : (
            <ButtonLink kind="secondary" href={props.otherWayHref} id="other-way">
              {words.otherWay}
            </ButtonLink>
          )}
          {code === undefined ? null : (
            <ButtonLink kind="quiet" href={following ? props.selfHref : `${props.selfHref}?suivre=1`} id="follow">
              {following ? words.stopFollowing : words.follow}
            </ButtonLink>
          )}
          <ButtonLink kind="quiet" href="/aidant" id="home">
            {words.home}
          </ButtonLink>
        </Actions>
      </div>
      <div class="fr-alert fr-alert--warning" data-wait-failed hidden>
        <p>{words.failed}</p>
      </div>
    </Layout>
  );
};

interface AskProps {
  readonly frame: Frame;
  readonly connect: Post;
  readonly decline: Post;
  readonly organisation: string;
  readonly aidant: string;
  readonly until: Date;
  readonly text: MandateTextData;
}

/** On the person's telephone: who asks, the mandate, and two answers. To open it changes nothing (claim S12). */
export const PhoneAskPage = ({ frame, connect, decline, organisation, aidant, until, text }: AskProps): JSX.Element => {
  const words = t(frame.lang).phone.ask;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <p class="lead">{words.who(aidant, namedOrganisation(organisation, frame.lang))}</p>
      <ul>
        {words.rules.map((rule) => (
          <li>{rule}</li>
        ))}
      </ul>
      <p>{words.until(time(until, frame.lang))}</p>
      <div class="fr-card">
        <MandateText data={text} lang={frame.lang} titleAs="h2" />
      </div>
      <Alert tone="warning">
        <p>{words.own}</p>
      </Alert>
      <PostForm post={decline} id="decline-consent" />
      <PostForm post={connect} id="give-consent">
        <Actions>
          <Button id="agree">{words.connect}</Button>
          <Button kind="secondary" form="decline-consent" id="disagree">
            {words.decline}
          </Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};

interface AnsweredProps {
  readonly frame: Frame;
  /** `yes`, `no`, or the code of a refusal. */
  readonly outcome: string;
  readonly organisation?: string;
  readonly at?: Date;
  /** Of the mandate, once the aidant has signed. */
  readonly reference?: string;
  readonly selfHref?: string;
  /** Where the same link can be tried again. */
  readonly againHref?: string;
}

/** On the person's telephone, at the end. Nothing is left open there: she closes the page. */
export const PhoneAnsweredPage = (props: AnsweredProps): JSX.Element => {
  const { frame, outcome } = props;
  const { lang } = frame;
  const words = t(lang).phone.done;
  if (outcome === 'yes')
    return (
      <Layout {...frame} title={words.title} width="narrow">
        <h1>{words.title}</h1>
        <Alert tone="success" role="status">
          <p class="lead">{words.text(namedOrganisation(props.organisation ?? '', lang))}</p>
          {props.at === undefined ? null : <p>{dayAndTime(props.at, lang)}</p>}
          <p id="mandate-reference">{props.reference === undefined ? words.toSign : words.reference(props.reference)}</p>
        </Alert>
        <p>{words.close}</p>
        <h2>{words.stopTitle}</h2>
        <ul>
          {words.stop(frame.helpNumber).map((way) => (
            <li>{way}</li>
          ))}
        </ul>
        {props.reference === undefined && props.selfHref !== undefined ? (
          <Actions>
            <ButtonLink kind="secondary" href={props.selfHref} id="see-reference">
              {words.seeReference}
            </ButtonLink>
          </Actions>
        ) : null}
      </Layout>
    );
  const no = outcome === 'no';
  return (
    <Layout {...frame} title={no ? words.noTitle : words.refusedTitle} width="narrow">
      <h1>{no ? words.noTitle : words.refusedTitle}</h1>
      <Alert tone={no ? 'success' : 'error'} role={no ? 'status' : 'alert'}>
        {no ? null : <p>{lookUp(t(lang).journal.because, outcome) ?? t(lang).journal.because['other']}</p>}
        <p>{no ? words.noText : words.nothing}</p>
      </Alert>
      <p>{no ? words.noClose : words.back}</p>
      {props.againHref === undefined ? null : (
        <Actions>
          <ButtonLink href={props.againHref} id="try-again">
            {words.again}
          </ButtonLink>
        </Actions>
      )}
    </Layout>
  );
};
