import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Service } from '../../src/services/service.ts';
import { IntegrationPage, ServicesPage } from '../../src/web/views/integration.tsx';
import { DemarchePage } from '../../src/web/views/integration-forms.tsx';
import type { Frame } from '../../src/web/views/layout.tsx';
import type { Post } from '../../src/web/views/parts.tsx';
import type { Text } from './views-entries.ts';

interface Given {
  readonly agent: Frame;
  readonly post: (action: string) => Post;
}

/** What an integrator sees, by name. */
export const integrationSamples = (text: Text, { agent, post }: Given): Record<string, JSX.Element> => {
  const at = (time: string): Date => new Date(`2026-03-03T${time}Z`);
  const service: Service = {
    id: text('allocations'),
    name: text('Caisse d’allocations familiales de la Charente-Maritime'),
    administrationId: 'adm_01jx5a9n3m8c4t0r7v2b6k1w9q' as Service['administrationId'],
    administrationName: text('Allocations'),
    profile: 'fapi2',
    sector: 'allocations',
    themes: ['logement', 'famille'],
    delegationSupported: true,
    minimumConsent: 'eidas1',
    demarches: [
      {
        code: text('allocations.aide-au-logement-et-au-demenagement'),
        labelFr: text('votre demande d’aide au logement'),
        labelEn: text('your housing benefit request'),
        themes: ['logement'],
        effect: 'declare',
        level: 'eidas2',
        maxAge: 300,
      },
      { code: text('allocations.paiements'), labelFr: text('vos paiements'), labelEn: text('your payments'), themes: ['famille'], effect: 'read' },
    ],
    redirectUris: [text('https://allocations.example/connexion/relais/retour')],
    postLogoutRedirectUris: [],
    backchannelLogoutUri: text('https://allocations.example/deconnexion'),
    backchannelLogoutSessionRequired: true,
    jwks: {
      keys: [
        { kty: 'EC', kid: text('GJwKVnSDAlxnEcyXs-vMOP83QvFhvSvjhHmvOyvjmCc'), crv: 'P-256', x: 'x', y: 'y' },
        { kty: 'EC', kid: text('2026-ete'), crv: 'P-256', x: 'x', y: 'y', exp: 1_804_032_000 },
      ],
    },
    tokenEndpointAuthMethod: 'private_key_jwt',
    scopes: ['given_name'],
    idTokenSignedResponseAlg: 'ES256',
    status: 'approved',
    version: 5,
    revision: 4,
    createdAt: at('08:00:00'),
  };
  const shared = {
    frame: agent,
    service,
    requests: [],
    told: [],
    keysPost: post('/administration/sites/allocations/cles'),
    addressesPost: post('/administration/sites/allocations/adresses'),
    follow: { href: '/administration/sites/allocations?suivre=1772548200#requests' },
    demarcheHref: (code = 'nouvelle') => `/administration/sites/allocations/demarches/${code}`,
  };
  const form = {
    frame: agent,
    service,
    post: post('/administration/sites/allocations/demarches/nouvelle'),
    backHref: '/administration/sites/allocations',
  };
  return {
    'integration-list': (
      <ServicesPage
        frame={agent}
        administration={text('Caisse nationale d’allocations')}
        services={[
          { id: text('allocations'), name: service.name, status: 'approved', waits: true, href: '/administration/sites/allocations' },
          { id: text('essai'), name: text('Essai'), status: 'disabled', waits: false, href: '/administration/sites/essai' },
        ]}
      />
    ),
    'integration-none': <ServicesPage frame={agent} administration={text('Caisse')} services={[]} />,
    integration: (
      <IntegrationPage
        {...shared}
        silent={{ since: at('11:02:00'), waiting: 3 }}
        waiting={{
          at: at('13:30:00'),
          asked: { ...service, demarches: service.demarches.map((each) => ({ ...each, labelFr: text('vos versements') })) },
          withdraw: post('/administration/sites/allocations/retirer'),
          fingerprint: '5f0c7d1e'.repeat(8),
          differences: [
            { what: text('theme social'), becomes: text('social') },
            { what: 'redirect_uris "https://allocations.example/retour"', was: '"https://allocations.example/retour"' },
            {
              what: 'démarche allocations.paiements',
              was: text('read; famille; vos paiements; your payments'),
              becomes: 'read; famille; vos versements; your payments',
            },
          ],
        }}
        requests={[
          { at: at('13:32:08'), endpoint: 'token', code: 'ok', status: 200 },
          { at: at('13:32:07'), endpoint: 'token', code: 'use_dpop_nonce', status: 400 },
          { at: at('13:32:06'), endpoint: 'introspection', code: 'insufficient_user_authentication', status: 401 },
          { at: at('13:31:59'), endpoint: 'par', code: text('never_heard_of'), status: 400 },
          { at: at('13:31:00'), endpoint: 'session/end', code: 'http_403', status: 403 },
        ]}
        stream={{
          method: 'push',
          endpoint: text('https://allocations.example/signaux'),
          status: 'paused',
          events: ['session-revoked', 'mandate-ended'],
        }}
        told={[
          { at: at('13:31:02'), what: 'logout', attempts: 1, acknowledgedAt: at('13:31:03'), over: true },
          { at: at('12:31:02'), what: 'session-revoked', attempts: 12, acknowledgedAt: null, over: false },
          { at: at('11:31:02'), what: 'mandate-ended', attempts: 90, acknowledgedAt: null, over: true },
        ]}
      />
    ),
    'integration-of-operateur': (
      <IntegrationPage
        {...shared}
        follow={{ until: at('13:40:00'), href: '/administration/sites/allocations#requests' }}
        waiting={{
          at: at('13:30:00'),
          asked: service,
          ofOperateur: true,
          withdraw: post('/administration/sites/allocations/retirer'),
          fingerprint: '5f0c7d1e'.repeat(8),
          differences: [{ what: 'name', was: '"Allocations"', becomes: text('"Un autre nom"') }],
        }}
      />
    ),
    'integration-empty': (
      <IntegrationPage
        {...shared}
        service={{ ...service, status: 'disabled', demarches: [], redirectUris: [], tokenEndpointAuthMethod: 'client_secret_basic' }}
      />
    ),
    'integration-demarche': (
      <DemarchePage
        {...form}
        code={text('allocations.aide-au-logement-et-au-demenagement')}
        effect="declare"
        retire={{ post: post('/administration/sites/allocations/demarches/allocations.aide/retrait'), last: true }}
        values={{
          word: '',
          labelFr: text('votre demande d’aide au logement'),
          labelEn: text('your housing benefit request'),
          themes: ['logement'],
          effect: 'declare',
          level: 'eidas2',
          maxAge: text('300'),
        }}
      />
    ),
    'integration-demarche-refused': (
      <DemarchePage
        {...form}
        values={{ word: text('Aide !'), labelFr: text('un virement'), labelEn: '', themes: [], effect: '', level: 'eidas1', maxAge: text('hier') }}
        errors={[
          { field: 'word', code: 'integration_demarche_code' },
          { field: 'label-fr', code: 'integration_demarche_never_delegable' },
          { field: 'themes', code: 'integration_demarche_themes' },
          { field: 'effect', code: 'integration_demarche_effect' },
          { field: 'max-age', code: 'integration_demarche_max_age' },
        ]}
      />
    ),
    'integration-refused': (
      <IntegrationPage
        {...shared}
        values={{ jwks: text('{"keys":[]}'), until: text('hier'), redirect: text('http://ici') }}
        errors={[
          { field: 'jwks', code: 'integration_jwks' },
          { field: 'until', code: 'integration_until' },
          { field: 'redirect', code: 'integration_addresses' },
        ]}
      />
    ),
  };
};
