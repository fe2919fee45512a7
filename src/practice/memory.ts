import './guard.ts';
import type { Adapter, AdapterPayload } from 'oidc-provider';

interface Row {
  readonly payload: AdapterPayload;
  readonly until: number;
}

/** Makes the storage of one simulator: in memory, its own, gone when it stops. A code is consumed once, at the first call. */
export const memoryAdapter = (): ((model: string) => Adapter) => {
  const rows = new Map<string, Row>();
  const live = (key: string): AdapterPayload | undefined => {
    const row = rows.get(key);
    if (row && row.until > Date.now()) return row.payload;
    rows.delete(key);
    return undefined;
  };
  const sweep = (): void => {
    if (rows.size % 200 === 0) for (const key of rows.keys()) live(key);
  };
  return (model) => {
    const key = (id: string): string => `${model}:${id}`;
    const first = (match: (payload: AdapterPayload) => boolean): AdapterPayload | undefined => {
      for (const [name, row] of rows) if (name.startsWith(`${model}:`) && match(row.payload)) return live(name);
      return undefined;
    };
    return {
      async upsert(id, payload, expiresIn) {
        rows.set(key(id), { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Number.POSITIVE_INFINITY });
        sweep();
      },
      find: async (id) => live(key(id)),
      findByUid: async (uid) => first((payload) => payload.uid === uid),
      findByUserCode: async () => undefined,
      async consume(id) {
        const payload = live(key(id));
        if (payload) payload['consumed'] = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        rows.delete(key(id));
      },
      async revokeByGrantId(grantId) {
        for (const [name, row] of rows) if (name.startsWith(`${model}:`) && row.payload.grantId === grantId) rows.delete(name);
      },
    };
  };
};
