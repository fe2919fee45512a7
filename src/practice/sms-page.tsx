import './guard.ts';
import { Layout, type Programme } from './page.tsx';

export const SMS: Programme = {
  name: 'Téléphones',
  line: 'Les SMS qui seraient partis, et de quoi y répondre',
  theme: 'simulateur',
  practice: 'Démonstration – aucun SMS ne part vraiment.',
};

/** One SMS, as a phone shows it. */
export interface SmsLine {
  readonly id: string;
  readonly phone: string;
  readonly text: string;
  /** True for an answer of the phone's owner. */
  readonly mine: boolean;
  readonly at: Date;
}

const clock = new Intl.DateTimeFormat('fr-FR', { timeZone: 'Europe/Paris', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const said = (at: Date): string => clock.format(at).replace(':', '\u00a0h\u00a0');

const Phone = ({ phone, lines, index }: { phone: string; lines: readonly SmsLine[]; index: number }) => (
  <section class="fr-card" aria-labelledby={`phone-${index}`}>
    <h2 id={`phone-${index}`}>Téléphone {phone}</h2>
    <ol class="list">
      {lines.map((line) => (
        <li>
          <p class="soft small">
            {line.mine ? 'La personne' : 'Relais'}, à {said(line.at)}
          </p>
          <p class="text">{line.text}</p>
        </li>
      ))}
    </ol>
    <form method="post" action="/repondre" id={`reply-${index}`}>
      <input type="hidden" name="phone" value={phone} />
      <label class="fr-label" for={`text-${index}`}>
        Répondre, comme la personne qui tient ce téléphone
      </label>
      <input class="fr-input" type="text" id={`text-${index}`} name="text" maxlength={160} autocomplete="off" />
      <p class="actions">
        <button type="submit" class="fr-btn">
          Envoyer la réponse
        </button>
      </p>
    </form>
  </section>
);

/** Every phone that got something, the last one first; in each, what was said, in order. */
export const SmsPage = ({ lines, now }: { lines: readonly SmsLine[]; now: Date }) => {
  const phones = [...new Set(lines.toReversed().map((line) => line.phone))];
  return (
    <Layout programme={SMS} title="Téléphones">
      <h1>Téléphones</h1>
      <p class="soft">Page lue le {said(now)}. Elle ne change pas toute seule.</p>
      <p class="actions">
        <a class="fr-btn" id="actualiser" href="/">
          Actualiser
        </a>
      </p>
      {phones.length ? (
        phones.map((phone, index) => <Phone phone={phone} lines={lines.filter((line) => line.phone === phone)} index={index + 1} />)
      ) : (
        <p class="soft">Aucun SMS pour l’instant. Dans son espace, une personne ajoute son numéro : son téléphone apparaîtra ici.</p>
      )}
    </Layout>
  );
};
