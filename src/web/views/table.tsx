import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { Empty } from './parts.tsx';

interface TableProps {
  readonly label: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (JSX.Element | string)[])[];
}

/** A table whose lines become cards on a narrow screen. */
export const Table = ({ label, columns, rows }: TableProps): JSX.Element => (
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

/** A table, or what is said when nothing is in it: `children` is the next step. */
export const TableOrEmpty = ({ none, children, ...table }: TableProps & { none: string; children?: Child }): JSX.Element =>
  table.rows.length === 0 ? <Empty title={none}>{children}</Empty> : <Table {...table} />;
