#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { createApp } from '../src/app.js';
import { Store } from '../src/store.js';

const { values } = parseArgs({
  options: {
    listen: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8070' },
    data: { type: 'string', default: 'data' },
  },
});

const store = await Store.open(values.data);
const server = createApp(store);
server.listen(Number(values.port), values.listen, () => {
  const { address, port } = server.address();
  console.log(`notes: http://${address}:${port}, data in ${values.data}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(() => store.close().then(() => process.exit(0)));
    server.closeIdleConnections();
  });
}
