// Ports on loopback that nobody has at the moment.

import { createServer } from 'node:net';

const given = new Set();

/** A free port that was not given before by this process. */
export async function freePort() {
  for (;;) {
    const server = createServer();
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address();
    await new Promise((closed) => server.close(closed));
    if (!given.has(port)) {
      given.add(port);
      return port;
    }
  }
}
