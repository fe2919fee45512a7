import '../guard.ts';

/** What came of a check. */
export interface CheckReport {
  readonly service: string;
  readonly client_id: string;
  readonly profile: string;
  readonly at: string;
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly { readonly id: string; readonly title: string; readonly passed: boolean; readonly finding?: string }[];
}

// What a service or its contract says must not drive the terminal.
const plain = (text: string): string => text.replace(/\p{C}/gu, ' ').slice(0, 400);

/** The report as lines for a person. */
export const textReport = (report: CheckReport): string =>
  [
    `${plain(report.client_id)} (${report.profile}) at ${plain(report.service)}`,
    '',
    ...report.cases.flatMap(({ id, title, passed, finding }) => [
      `${passed ? 'passed' : 'FAILED'}  ${id.padEnd(18)} ${title}`,
      ...(finding === undefined ? [] : [`        ${plain(finding)}`]),
    ]),
    '',
    `${report.passed} passed, ${report.failed} failed`,
  ].join('\n');

const escaped = (text: string): string => plain(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** The badge: what was checked, how it ended, and the day. No script, nothing fetched. */
export const badge = (report: CheckReport): string => {
  const left = 'Relais';
  const right = report.failed === 0 ? `conforme, ${report.passed} contrôles, ${report.at.slice(0, 10)}` : `${report.failed} contrôles en échec`;
  const [a, b] = [64, 20 + right.length * 7];
  const name = escaped(`${left} : ${right} (${report.client_id})`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${a + b}" height="24" role="img" aria-label="${name}"><title>${name}</title>
<rect width="${a}" height="24" fill="#1e1e1e"/><rect x="${a}" width="${b}" height="24" fill="${report.failed === 0 ? '#18753c' : '#ce0500'}"/>
<g fill="#fff" font-family="sans-serif" font-size="13"><text x="10" y="17">${escaped(left)}</text><text x="${a + 10}" y="17">${escaped(right)}</text></g></svg>
`;
};
