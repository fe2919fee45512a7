import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Difference } from '../../services/revision.ts';
import type { Demarche, Registration, Service } from '../../services/service.ts';
import { dayAndTime, exactDayAndTime, time } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { themeLabel, themeList } from '../i18n/sentence.ts';
import { ErrorSummary } from './fields.tsx';
import { ChangeForms, type ChangeFormsProps } from './integration-forms.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Badge, Button, ButtonLink, Empty, Facts, Link, type Post, PostForm } from './parts.tsx';
import { PATHS } from './paths.ts';
import { Table, TableOrEmpty } from './table.tsx';

const TONES = { pending: 'warning', approved: 'success', disabled: 'error' } as const;

interface ListProps {
  readonly frame: Frame;
  readonly administration: string;
  readonly services: readonly {
    readonly id: string;
    readonly name: string;
    readonly status: Service['status'];
    readonly waits: boolean;
    readonly href: string;
  }[];
}

/** The services of an administration, for whoever integrates them. */
export const ServicesPage = ({ frame, administration, services }: ListProps): JSX.Element => {
  const words = t(frame.lang).integration;
  return (
    <Layout {...frame} title={words.listTitle} width="narrow">
      <h1>{words.listTitle}</h1>
      <p class="lead">{words.listText(administration)}</p>
      {services.length === 0 ? (
        <Empty title={words.emptyTitle}>
          <p>{words.empty}</p>
        </Empty>
      ) : (
        <ul class="cards">
          {services.map((service) => (
            <li class="fr-card">
              <h2 class="fr-card__title">{service.name}</h2>
              <p>
                <Badge tone={TONES[service.status]}>{lookUp(words.status, service.status) ?? ''}</Badge>{' '}
                {service.waits ? <Badge tone="warning">{words.waitingBadge}</Badge> : null}
              </p>
              <Facts items={[[words.id, <code>{service.id}</code>]]} />
              <Actions>
                <ButtonLink kind="secondary" href={service.href} more={words.openMore(service.name)}>
                  {words.open}
                </ButtonLink>
              </Actions>
            </li>
          ))}
        </ul>
      )}
    </Layout>
  );
};

export interface IntegrationProps extends Omit<ChangeFormsProps, 'asked'> {
  readonly service: Service;
  /** Asked, and not approved yet. */
  readonly waiting?: {
    readonly at: Date;
    readonly asked: Registration;
    readonly differences: readonly Difference[];
    readonly fingerprint: string;
    /** An opérateur asked for it: nothing is added to it, and no form is shown. */
    readonly ofOperateur?: boolean;
    /** Takes it back; absent before the first approval. */
    readonly withdraw?: Post;
  };
  readonly requests: readonly { readonly at: Date; readonly endpoint: string; readonly code: string; readonly status: number }[];
  readonly told: readonly {
    readonly at: Date;
    readonly what: string;
    readonly attempts: number;
    readonly acknowledgedAt: Date | null;
    readonly over: boolean;
  }[];
  /** The Shared Signals stream that the service made, if any. */
  readonly stream?: {
    readonly method: 'push' | 'poll';
    readonly endpoint: string | undefined;
    readonly status: string;
    readonly events: readonly string[];
  };
  /** The lists are read again by themselves until then, or were (`over`); undefined: not asked for. */
  readonly follow?: { readonly until?: Date | undefined; readonly over?: boolean; readonly href: string };
  /** It has not answered for minutes, and so much waits to be told there. */
  readonly silent?: { readonly since: Date; readonly waiting: number };
  /** Where a démarche of this code is changed; without code, where one is proposed. Absent where none can be. */
  readonly demarcheHref?: (code?: string) => string;
}

const Lines = ({ values, none }: { values: readonly string[]; none: string }): JSX.Element =>
  values.length === 0 ? (
    <span>{none}</span>
  ) : (
    <ul>
      {values.map((value) => (
        <li>
          <code class="breaks">{value}</code>
        </li>
      ))}
    </ul>
  );

const asksOf = (each: Demarche, lang: Lang): string => {
  const { demarches } = t(lang).integration;
  return [demarches.level(each.level ?? 'eidas1'), ...(each.maxAge === undefined ? [] : [demarches.age(each.maxAge)])].join(', ');
};

const Registered = ({
  service,
  asked,
  demarcheHref,
  fixed,
  lang,
}: Pick<IntegrationProps, 'service'> & {
  asked: Registration;
  demarcheHref: IntegrationProps['demarcheHref'];
  fixed: boolean;
  lang: Lang;
}): JSX.Element => {
  const { addresses, keys, demarches } = t(lang).integration;
  const line = (value: string | undefined): JSX.Element | undefined => (value === undefined ? undefined : <code class="breaks">{value}</code>);
  return (
    <>
      <div>
        <h2 id="addresses">{addresses.title}</h2>
        <Facts
          items={[
            [addresses.redirect, <Lines values={service.redirectUris} none={addresses.none} />],
            [addresses.postLogout, <Lines values={service.postLogoutRedirectUris} none={addresses.none} />],
            [addresses.backchannel, line(service.backchannelLogoutUri)],
            [addresses.initiate, line(service.initiateLoginUri)],
          ]}
        />
      </div>
      <div>
        <h2 id="keys">{keys.title}</h2>
        {service.jwks === undefined ? (
          <p>
            {keys.secret}
            {service.formerSecret ? ` ${keys.former(dayAndTime(new Date(service.formerSecret.exp * 1000), lang))}` : ''}
          </p>
        ) : (
          <Table
            label={keys.title}
            columns={[keys.kid, keys.kind, keys.until]}
            rows={service.jwks.keys.map(({ kid, kty, exp }) => [
              <code class="breaks">{String(kid ?? '–')}</code>,
              String(kty),
              typeof exp === 'number' ? keys.at(dayAndTime(new Date(exp * 1000), lang)) : keys.always,
            ])}
          />
        )}
      </div>
      <div>
        <h2 id="demarches">{demarches.title}</h2>
        <TableOrEmpty
          label={demarches.title}
          columns={[demarches.label, demarches.themes, demarches.effect, demarches.asks]}
          rows={service.demarches.map((each) => [
            <div>
              {lang === 'fr' ? each.labelFr : each.labelEn}
              <div class="under">
                <code class="breaks">{each.code}</code>
              </div>
              {asked.demarches.some(({ code }) => code === each.code) ? null : <Badge tone="warning">{demarches.leaves}</Badge>}
              {demarcheHref === undefined || fixed ? null : (
                <ButtonLink kind="quiet" href={demarcheHref(each.code)} more={demarches.changeMore(each.code)}>
                  {demarches.change}
                </ButtonLink>
              )}
            </div>,
            themeList(each.themes, lang),
            lookUp(demarches.effects, each.effect) ?? each.effect,
            asksOf(each, lang),
          ])}
          none={demarches.none}
        >
          <p>{demarcheHref === undefined ? demarches.notHere : demarches.noneText}</p>
        </TableOrEmpty>
        {demarcheHref === undefined || fixed ? null : (
          <Actions>
            <ButtonLink kind="secondary" href={demarcheHref()} id="new-demarche">
              {demarches.propose}
            </ButtonLink>
          </Actions>
        )}
      </div>
    </>
  );
};

/** One difference in the words of the page: what it is about, and its value before or after. */
const inWords = (what: string, lang: Lang): { named: string; text(value: string | undefined, of: Registration): string } => {
  const { integration } = t(lang);
  const { members, values } = integration.waiting;
  const [member = '', ...rest] = what.split(' ');
  const name = rest.join(' ');
  const named = [lookUp(members, member) ?? member, ...(member === 'theme' || name.startsWith('"') ? [] : [name])].join(' ');
  return {
    named,
    text: (value, of) => {
      if (value === undefined) return '–';
      if (member === 'theme') return themeLabel(value, lang);
      const each = member === 'démarche' ? of.demarches.find(({ code }) => code === name) : undefined;
      if (!each) return lookUp(values, value) ?? value.replaceAll('"', '');
      const effect = lookUp(integration.demarches.effects, each.effect) ?? each.effect;
      return [...new Set([each.labelFr, each.labelEn])]
        .map((label) => `« ${label} »`)
        .concat(themeList(each.themes, lang), effect, asksOf(each, lang))
        .join(' ; ');
    },
  };
};

const Waiting = ({ waiting, service, lang }: { waiting: NonNullable<IntegrationProps['waiting']>; service: Service; lang: Lang }): JSX.Element => {
  const words = t(lang).integration.waiting;
  return (
    <div>
      <h2 id="waiting">{words.title}</h2>
      <p>{(waiting.ofOperateur ? words.textOfOperateur : words.text)(dayAndTime(waiting.at, lang))}</p>
      <Table
        label={words.caption}
        columns={[words.what, words.was, words.becomes]}
        rows={waiting.differences.map(({ what, was, becomes }) => {
          const { named, text } = inWords(what, lang);
          return [
            <span class="breaks">{named}</span>,
            <span class="breaks">{text(was, service)}</span>,
            <span class="breaks">{text(becomes, waiting.asked)}</span>,
          ];
        })}
      />
      <Facts items={[[words.fingerprint, <code class="breaks">{waiting.fingerprint}</code>]]} />
      {waiting.withdraw === undefined ? null : (
        <PostForm post={waiting.withdraw} id="withdraw-form">
          <p>{words.withdrawText}</p>
          <Actions>
            <Button kind="secondary" id="withdraw">
              {words.withdraw}
            </Button>
          </Actions>
        </PostForm>
      )}
    </div>
  );
};

const Calls = ({
  requests,
  told,
  stream,
  silent,
  follow,
  lang,
}: Pick<IntegrationProps, 'requests' | 'told' | 'stream' | 'silent' | 'follow'> & { lang: Lang }): JSX.Element => {
  const words = t(lang).integration;
  const until = follow?.over ? undefined : follow?.until;
  const answer = ({ acknowledgedAt, over }: IntegrationProps['told'][number]): JSX.Element =>
    acknowledgedAt ? (
      <Badge tone="success">{words.told.acknowledged(exactDayAndTime(acknowledgedAt, lang))}</Badge>
    ) : (
      <Badge tone={over ? 'error' : 'warning'}>{over ? words.told.over : words.told.waiting}</Badge>
    );
  return (
    <>
      <div>
        <h2 id="requests">{words.requests.title}</h2>
        <p>{words.requests.text}</p>
        {follow === undefined ? null : (
          <div class="no-print">
            {until === undefined ? null : <p>{words.requests.following(time(until, lang))}</p>}
            <p>
              <Link href={follow.href} id="follow">
                {until === undefined ? words.requests.follow : words.requests.stop}
              </Link>
            </p>
            <div class="fr-alert fr-alert--warning" data-wait-failed hidden>
              <p>{words.requests.failed}</p>
            </div>
          </div>
        )}
      </div>
      <div id="calls" data-live data-wait={follow?.over ? 'over' : until && 'open'}>
        <TableOrEmpty
          label={words.requests.title}
          columns={[words.requests.at, words.requests.endpoint, words.requests.code, words.requests.remedy]}
          rows={requests.map(({ at, endpoint, code, status }) => [
            exactDayAndTime(at, lang),
            <code>{endpoint}</code>,
            code === 'ok' ? (
              <Badge tone="success">{words.requests.ok}</Badge>
            ) : (
              <>
                <Badge tone="error">{String(status)}</Badge> <code>{code}</code>
              </>
            ),
            code === 'ok' ? '–' : (lookUp(words.remedies, code) ?? words.requests.noRemedy),
          ])}
          none={words.requests.none}
        >
          <p>{words.requests.noneText}</p>
        </TableOrEmpty>
      </div>
      <div id="told-live" data-live>
        <h2 id="told">{words.told.title}</h2>
        <p>{words.told.text}</p>
        {silent === undefined ? null : (
          <Alert tone="error" title={words.told.silent}>
            <p>{words.told.silentText(exactDayAndTime(silent.since, lang), silent.waiting)}</p>
          </Alert>
        )}
        {stream === undefined ? null : (
          <Facts
            items={[
              [words.told.stream, lookUp(words.told.statuses, stream.status) ?? stream.status],
              [words.told.method, lookUp(words.told.methods, stream.method) ?? stream.method],
              [words.told.endpoint, stream.endpoint === undefined ? undefined : <code class="breaks">{stream.endpoint}</code>],
              [words.told.events, <code class="breaks">{stream.events.join(', ')}</code>],
            ]}
          />
        )}
        <TableOrEmpty
          label={words.told.title}
          columns={[words.told.at, words.told.what, words.told.attempts, words.told.answer]}
          rows={told.map((each) => [exactDayAndTime(each.at, lang), <code>{each.what}</code>, String(each.attempts), answer(each)])}
          none={words.told.none}
        >
          <p>{words.told.noneText}</p>
        </TableOrEmpty>
      </div>
    </>
  );
};

/** One service as its integrator sees it: what is registered, what waits, what it asked lately, what it was told; and asking for a change. */
export const IntegrationPage = (props: IntegrationProps): JSX.Element => {
  const { frame, service, waiting, requests, told, stream, silent, follow, demarcheHref, errors } = props;
  const { lang } = frame;
  const words = t(lang).integration;
  const fixed = waiting?.ofOperateur === true;
  return (
    <Layout {...frame} title={service.name} error={(errors?.length ?? 0) > 0} width="wide" follows={follow?.until !== undefined && !follow.over}>
      <ErrorSummary lang={lang} errors={errors} />
      <h1>{service.name}</h1>
      <p>
        <Badge tone={TONES[service.status]}>{lookUp(words.status, service.status) ?? ''}</Badge>
      </p>
      <Facts
        items={[
          [words.id, <code>{service.id}</code>],
          [words.profile, <code>{service.profile}</code>],
          [words.version, service.revision === undefined ? words.noVersion : String(service.revision)],
        ]}
      />
      {service.status === 'disabled' ? (
        <Alert tone="warning">
          <p>{words.disabled}</p>
        </Alert>
      ) : null}
      {waiting === undefined ? null : <Waiting waiting={waiting} service={service} lang={lang} />}
      <Calls
        requests={requests}
        told={told}
        {...(stream ? { stream } : {})}
        {...(silent ? { silent } : {})}
        {...(follow ? { follow } : {})}
        lang={lang}
      />
      <Registered
        service={service}
        asked={waiting?.asked ?? service}
        demarcheHref={service.status === 'disabled' ? undefined : demarcheHref}
        fixed={fixed}
        lang={lang}
      />
      {service.status === 'disabled' || fixed ? null : <ChangeForms {...props} asked={waiting?.asked ?? service} />}
      {fixed ? (
        <div class="no-print">
          <h2 id="change">{words.change.title}</h2>
          <p>{words.change.later}</p>
        </div>
      ) : null}
      <Actions>
        <ButtonLink kind="quiet" href={PATHS.services} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
