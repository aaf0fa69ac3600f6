// A customer's web application on loopback: the place where an end user arrives after signing in.
//
// It is openid-client behind two addresses, `/` (sign in) and `/callback`, listening on a port of its own, so
// that a browser really leaves the product and comes back to somebody else.

import { createServer } from 'node:http';

import * as client from 'openid-client';

import { beginSignIn, discover } from './relying_party.mjs';

export class Application {
  #pending = new Map();

  /** Opens the port; where to sign in is said by `connect`, once the application is registered. */
  static async listen() {
    const application = new Application();
    application.server = createServer((request, response) => {
      application.#answer(request).then(
        ({ location, text }) => {
          if (location) return response.writeHead(302, { location }).end();
          return response.setHeader('content-type', 'text/html; charset=utf-8').end(page(text));
        },
        (error) => response.writeHead(500).end(page(String(error))),
      );
    });
    await new Promise((listening) => application.server.listen(0, '127.0.0.1', listening));
    application.url = `http://127.0.0.1:${application.server.address().port}`;
    application.redirectUri = `${application.url}/callback`;
    return application;
  }

  async connect(issuer, credentials) {
    this.config = await discover(issuer, credentials);
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((closed) => this.server.close(closed));
  }

  async #answer({ url }) {
    const here = new URL(url, this.url);
    if (here.pathname === '/') {
      const { address, finish } = await beginSignIn(this.config, { redirectUri: this.redirectUri });
      this.#pending.set(address.searchParams.get('state'), finish);
      return { location: address.href };
    }
    const refusal = here.searchParams.get('error');
    if (refusal) return { text: `Not signed in: ${refusal}` };
    const tokens = await this.#pending.get(here.searchParams.get('state'))(here);
    const person = await client.fetchUserInfo(this.config, tokens.access_token, tokens.claims().sub);
    return { text: `Signed in as ${person.email}` };
  }
}

function page(text) {
  return `<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><h1>${text}</h1></html>`;
}
