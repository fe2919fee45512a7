import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Difference } from '../../services/revision.ts';
import type { Service } from '../../services/service.ts';
import { dayAndTime, exactDayAndTime } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { ErrorSummary, errorOf, type FieldError, Input, TextArea } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Badge, Button, ButtonLink, Empty, Facts, type Post, PostForm } from './parts.tsx';

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

export interface IntegrationProps {
  readonly frame: Frame;
  readonly service: Service;
  /** Asked, and not approved yet. */
  readonly waiting?: { readonly at: Date; readonly differences: readonly Difference[]; readonly fingerprint: string };
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
  /** It has not answered for minutes, and so much waits to be told there. */
  readonly silent?: { readonly since: Date; readonly waiting: number };
  /** Sends jwks, until. */
  readonly keysPost: Post;
  /** Sends redirect, after. */
  readonly addressesPost: Post;
  /** What was typed and refused. */
  readonly values?: { readonly jwks?: string; readonly until?: string; readonly redirect?: string; readonly after?: string };
  readonly errors?: readonly FieldError[];
}

/** A table whose lines become cards on a narrow screen. */
const Table = ({
  label,
  columns,
  rows,
}: {
  label: string;
  columns: readonly string[];
  rows: readonly (readonly (JSX.Element | string)[])[];
}): JSX.Element => (
  <section class="fr-table" aria-label={label} tabindex={0}>
    <table>
      <caption class="fr-sr-only">{label}</caption>
      <thead>
        <tr>
          {columns.map((column) => (
            <th scope="col">{column}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(([first, ...rest]) => (
          <tr>
            <th scope="row" data-label={columns[0]}>
              {first}
            </th>
            {rest.map((cell, i) => (
              <td data-label={columns[i + 1]}>
                <div>{cell}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);

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

const Registered = ({ service, lang }: { service: Service; lang: Lang }): JSX.Element => {
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
        {service.demarches.length === 0 ? (
          <p>{demarches.none}</p>
        ) : (
          <Table
            label={demarches.title}
            columns={[demarches.label, demarches.effect, demarches.asks]}
            rows={service.demarches.map((each) => [
              <>
                {lang === 'fr' ? each.labelFr : each.labelEn}
                <div class="under">
                  <code class="breaks">{each.code}</code>
                </div>
              </>,
              lookUp(demarches.effects, each.effect) ?? each.effect,
              [demarches.level(each.level ?? 'eidas1'), ...(each.maxAge === undefined ? [] : [demarches.age(each.maxAge)])].join(', '),
            ])}
          />
        )}
      </div>
    </>
  );
};

const Waiting = ({ waiting, lang }: { waiting: NonNullable<IntegrationProps['waiting']>; lang: Lang }): JSX.Element => {
  const words = t(lang).integration.waiting;
  const named = (what: string): string => {
    const [member = '', ...rest] = what.split(' ');
    return [lookUp(words.members, member) ?? member, ...(member === 'theme' || rest.join(' ').startsWith('"') ? [] : rest)].join(' ');
  };
  const text = (value: string | undefined): JSX.Element => <code class="breaks">{value === undefined ? '–' : value.replaceAll('"', '')}</code>;
  return (
    <div>
      <h2 id="waiting">{words.title}</h2>
      <p>{words.text(dayAndTime(waiting.at, lang))}</p>
      <Table
        label={words.caption}
        columns={[words.what, words.was, words.becomes]}
        rows={waiting.differences.map(({ what, was, becomes }) => [named(what), text(was), text(becomes)])}
      />
      <Facts items={[[words.fingerprint, <code class="breaks">{waiting.fingerprint}</code>]]} />
    </div>
  );
};

const Calls = ({
  requests,
  told,
  stream,
  silent,
  lang,
}: Pick<IntegrationProps, 'requests' | 'told' | 'stream' | 'silent'> & { lang: Lang }): JSX.Element => {
  const words = t(lang).integration;
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
        {requests.length === 0 ? (
          <Empty title={words.requests.none}>
            <p>{words.requests.noneText}</p>
          </Empty>
        ) : (
          <Table
            label={words.requests.title}
            columns={[words.requests.at, words.requests.endpoint, words.requests.code, words.requests.remedy]}
            rows={requests.map(({ at, endpoint, code, status }) => [
              exactDayAndTime(at, lang),
              <code>{endpoint}</code>,
              code === 'ok' ? (
                <Badge tone="success">{words.requests.ok}</Badge>
              ) : (
                <>
                  <Badge tone="error">{String(status)}</Badge> <code class="breaks">{code}</code>
                </>
              ),
              code === 'ok' ? '' : (lookUp(words.remedies, code) ?? words.requests.noRemedy),
            ])}
          />
        )}
      </div>
      <div>
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
        {told.length === 0 ? (
          <Empty title={words.told.none}>
            <p>{words.told.noneText}</p>
          </Empty>
        ) : (
          <Table
            label={words.told.title}
            columns={[words.told.at, words.told.what, words.told.attempts, words.told.answer]}
            rows={told.map((each) => [exactDayAndTime(each.at, lang), <code>{each.what}</code>, String(each.attempts), answer(each)])}
          />
        )}
      </div>
    </>
  );
};

const ChangeForms = ({ frame, service, keysPost, addressesPost, values = {}, errors }: IntegrationProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).integration.change;
  return (
    <div class="no-print">
      <h2 id="change">{words.title}</h2>
      <p>{words.text}</p>
      {service.jwks === undefined ? null : (
        <>
          <h3>{words.keysTitle}</h3>
          <PostForm post={keysPost} id="change-keys">
            <TextArea
              lang={lang}
              id="jwks"
              label={words.jwks}
              hint={words.jwksHint}
              value={values.jwks ?? ''}
              error={errorOf(errors, 'jwks')}
              required
            />
            <Input
              lang={lang}
              id="until"
              label={words.until}
              hint={words.untilHint}
              value={values.until ?? ''}
              error={errorOf(errors, 'until')}
              required
              autocomplete="off"
              maxlength={10}
            />
            <Actions>
              <Button id="change-keys-button">{words.keysButton}</Button>
            </Actions>
          </PostForm>
        </>
      )}
      <h3>{words.addressesTitle}</h3>
      <PostForm post={addressesPost} id="change-addresses">
        <TextArea
          lang={lang}
          id="redirect"
          label={words.redirect}
          hint={words.redirectHint}
          rows={3}
          value={values.redirect ?? service.redirectUris.join('\n')}
          error={errorOf(errors, 'redirect')}
          required
        />
        <TextArea
          lang={lang}
          id="after"
          label={words.postLogout}
          hint={words.postLogoutHint}
          rows={3}
          value={values.after ?? service.postLogoutRedirectUris.join('\n')}
          error={errorOf(errors, 'after')}
        />
        <Actions>
          <Button id="change-addresses-button">{words.addressesButton}</Button>
        </Actions>
      </PostForm>
    </div>
  );
};

/** One service as its integrator sees it: what is registered, what waits, what it asked lately, what it was told; and asking for a change. */
export const IntegrationPage = (props: IntegrationProps): JSX.Element => {
  const { frame, service, waiting, requests, told, stream, silent, errors } = props;
  const { lang } = frame;
  const words = t(lang).integration;
  return (
    <Layout {...frame} title={service.name} error={(errors?.length ?? 0) > 0} width="wide">
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
      {waiting === undefined ? null : <Waiting waiting={waiting} lang={lang} />}
      <Calls requests={requests} told={told} {...(stream ? { stream } : {})} {...(silent ? { silent } : {})} lang={lang} />
      <Registered service={service} lang={lang} />
      <ChangeForms {...props} />
      <Actions>
        <ButtonLink kind="quiet" href="/administration/sites" id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
