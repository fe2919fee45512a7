import './guard.ts';
import { Layout, type Programme } from './page.tsx';

/** A message that would have left. */
export interface Message {
  readonly at: Date;
  readonly channel: 'mail' | 'sms' | 'letter';
  readonly to: string;
  readonly subject?: string;
  readonly text: string;
}

/** A test identity's next one-time code; `note` says what it is for, or why there is none. */
export interface Code {
  readonly who: string;
  readonly code: string;
  readonly note: string;
}

export const MESSAGES: Programme = {
  name: 'Messages de démonstration',
  line: 'Ce qui aurait été envoyé',
  theme: 'simulateur',
  practice: 'Démonstration – aucun message ne part vraiment.',
};

const CHANNELS = { mail: 'Courriel', sms: 'SMS', letter: 'Lettre' } as const;
const when = new Intl.DateTimeFormat('fr-FR', {
  timeZone: 'Europe/Paris',
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const said = (at: Date): string => when.format(at).replace(/(\d{2}):(\d{2})$/, '$1\u00a0h\u00a0$2');

/** Splits a text into words and addresses, so that the addresses can be followed. Only http and https ones: nothing else is a link. */
const Linked = ({ text }: { text: string }) => (
  <p class="text">{text.split(/(https?:\/\/[^\s<>"«»]+[^\s<>"«».,;:!?)])/).map((part, at) => (at % 2 ? <a href={part}>{part}</a> : part))}</p>
);

const Codes = ({ codes }: { codes: readonly Code[] }) => (
  <table class="table">
    <caption>Le prochain code de chaque identité, comme sur son téléphone</caption>
    <thead>
      <tr>
        <th scope="col">Identité</th>
        <th scope="col">Code</th>
        <th scope="col">Remarque</th>
      </tr>
    </thead>
    <tbody>
      {codes.map(({ who, code, note }) => (
        <tr>
          <th scope="row">{who}</th>
          <td data-label="Code">
            <span class="code">{code}</span>
          </td>
          <td data-label="Remarque">{note}</td>
        </tr>
      ))}
    </tbody>
  </table>
);

interface MessagesProps {
  readonly messages: readonly Message[];
  readonly codes: readonly Code[];
  readonly now: Date;
}

/** Codes first, because one comes here for them; then the messages, newest first. */
export const MessagesPage = ({ messages, codes, now }: MessagesProps) => (
  <Layout programme={MESSAGES} title="Messages et codes">
    <h1>Messages et codes</h1>
    <p class="soft">Page lue le {said(now)}. Elle ne change pas toute seule.</p>
    <p class="actions">
      <a class="fr-btn" id="actualiser" href="/">
        Actualiser
      </a>
      <a id="identites" href="/identites">
        Identités de test
      </a>
    </p>
    <h2>Codes de vérification</h2>
    {codes.length ? (
      <Codes codes={codes} />
    ) : (
      <p class="soft">Aucun code pour l’instant. Un code apparaît ici quand une identité de test a enregistré son moyen de vérification.</p>
    )}
    <h2>Messages</h2>
    {messages.length ? (
      <ol class="list">
        {messages.map((message) => (
          <li class="fr-card">
            <p class="soft small">
              <span class="fr-badge">{CHANNELS[message.channel]}</span> {said(message.at)}, à {message.to}
            </p>
            {message.subject ? <h3>{message.subject}</h3> : null}
            <Linked text={message.text} />
          </li>
        ))}
      </ol>
    ) : (
      <p class="soft">Aucun message pour l’instant. Créez un mandat, ou invitez un aidant : le message apparaîtra ici. Pensez à actualiser.</p>
    )}
  </Layout>
);
