import './guard.ts';
import { demonstrationSettings } from '../config/environment.ts';
import { Failure } from '../kernel/failure.ts';
import { type Demonstration, startDemonstration } from './demonstration.ts';
import { PERSONS, STAFF } from './identities.ts';

const line = (left: string, right: string): string => `  ${left.padEnd(26)} ${right}\n`;

/** What a newcomer needs to read: where, who, and the story in five steps. */
const welcome = ({ addresses }: Demonstration, seconds: string, database: string): string => {
  const { relais, proconnect, franceconnect, allowances, taxes, messages, sms, witnesses, front } = addresses;
  return [
    `\nRelais, démonstration prête en ${seconds} s (${database})\n\nAdresses\n`,
    line('Relais', relais),
    line('Allocations (profil standard)', allowances),
    line('Impôts (profil fapi2)', taxes),
    line('Messages et codes', messages),
    line('Téléphones (SMS)', sms),
    ...(front ? [line('FranceConnect, devant', front)] : []),
    line('Témoins du journal', witnesses.join('  ')),
    line('ProConnect simulé', proconnect),
    line('FranceConnect simulé', franceconnect),
    '\nProfessionnels (ProConnect)\n',
    ...STAFF.map((each) => line(`${each.given_name} ${each.usual_name}`, each.story)),
    '\nPersonnes (FranceConnect)\n',
    ...PERSONS.map((each) => line(`${each.given_name.split(' ')[0] ?? ''} ${each.family_name}`.trim().slice(0, 25), each.story)),
    "\nL'histoire en cinq étapes\n",
    `  1. ${relais} : entrez comme aidant, choisissez Karim Benali, et recopiez son code depuis ${messages}\n`,
    '  2. Créez un mandat : Logement, 1 jour ; Colette Martin se connecte avec FranceConnect ; signez avec un nouveau code\n',
    '  3. Agissez sur les Allocations : confirmez, remplissez et envoyez une demande d’aide au logement\n',
    `  4. Dans un autre navigateur, ${relais} : entrez comme personne accompagnée (Colette Martin), lisez ce qui a été fait, arrêtez le mandat\n`,
    '  5. Revenez aux Allocations : plus rien ne part. Nora Lefèvre (administration) consulte le journal ; Colette Martin le voit\n',
    '\nVérifier le journal : npm run relais -- journal verify     Arrêter : Ctrl-C\n\n',
  ].join('');
};

const HELP = `Usage : npm start

Démarre la démonstration entière sur cette machine : Relais, ses services miroirs, ProConnect et FranceConnect simulés, des témoins du journal.
Rien n’est à préparer. Ctrl-C l’arrête ; ce qui a été fait reste dans var/.

Réglages, tous facultatifs, par des variables d’environnement :
  RELAIS_PORT=8400     premier port ; les autres programmes prennent les suivants
  RELAIS_VAR=var       dossier de l’état
  RELAIS_KEYS=keys     dossier des clés, créées au premier démarrage
  RELAIS_LOG=warn      ce qui est dit : fatal, error, warn, info, debug
  DATABASE_URL=…       une base PostgreSQL, au lieu de celle qui est embarquée
  RELAIS_MIRRORS=…     fichier de ceux qui peuvent copier les feuilles du journal

Repartir de zéro : arrêtez, effacez le dossier de l’état, recommencez.
`;

const asked = process.argv.slice(2);
if (asked.some((each) => each === '--help' || each === '-h')) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (asked.length) {
  process.stderr.write(`Argument inconnu : ${asked[0]}\n\n${HELP}`);
  process.exit(2);
}

const began = performance.now();
const settings = demonstrationSettings();
try {
  const demonstration = await startDemonstration({
    ...settings,
    front: true,
    log: (level, entry) => {
      if (level === 'error') process.stderr.write(`${JSON.stringify({ level, ...entry })}\n`);
    },
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(welcome(demonstration, seconds, settings.databaseUrl ? 'PostgreSQL' : `base embarquée dans ${settings.varFolder}/`));
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) process.exit(130);
    stopping = true;
    process.stdout.write('\nArrêt…\n');
    await demonstration.close();
    process.stdout.write('Tout est arrêté.\n');
    process.exit(0);
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
} catch (error) {
  const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  const why = inUse
    ? `${error.message}\nUn autre programme tient ce port : arrêtez-le, ou donnez RELAIS_PORT=8500`
    : error instanceof Failure
      ? error.message
      : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`Relais ne peut pas démarrer : ${why}\n`);
  process.exit(1);
}
