// An address before several processes that sends EACH REQUEST to the next one that lives, also on one connection.
//
// It is the opposite of a balancer with affinity: a page, the form on it and the redirect after it come from three
// processes, so whatever lives in one of them breaks a test. It counts what each process answered; `GET /__spread`
// tells. `Host` is passed on, the caller's address appended to `X-Forwarded-For`, bodies and event streams flow.

import { Agent, createServer, request } from 'node:http';

const CONNECTION_ONLY = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'];

export class Alternate {
  #targets = [];
  #turns = new Map();
  #connections = new Agent({ keepAlive: true });

  /** Listens on `port`; `own` answers what is for no process (`true` if it did). */
  static async listen(port, own = () => false) {
    const front = new Alternate();
    front.url = `http://127.0.0.1:${port}`;
    front.server = createServer((asked, answer) => {
      if (asked.url === '/__spread') return answer.setHeader('content-type', 'application/json').end(JSON.stringify(front.spread()));
      if (own(asked, answer)) return undefined;
      return front.#pass(asked, answer);
    });
    await new Promise((listening, failed) => {
      front.server.once('error', failed).listen(port, '127.0.0.1', listening);
    });
    return front;
  }

  /** One process more: `{name, port, alive()}`. */
  add(target) {
    this.#targets.push({ ...target, served: 0 });
  }

  /** Counts from zero: what came before does not matter. */
  forget() {
    for (const target of this.#targets) target.served = 0;
  }

  /** How many requests each process answered. */
  spread() {
    return Object.fromEntries(this.#targets.map(({ name, served }) => [name, served]));
  }

  close() {
    this.#connections.destroy();
    this.server.closeAllConnections();
    return new Promise((closed) => this.server.close(closed));
  }

  /** Each kind of request takes turns by itself: else a page and its style sheet could fall into step. */
  #next(kind) {
    const living = this.#targets.filter((target) => target.alive());
    const turn = this.#turns.get(kind) ?? 0;
    this.#turns.set(kind, turn + 1);
    return living[turn % living.length];
  }

  #pass(asked, answer) {
    const target = this.#next(asked.headers['sec-fetch-dest'] ?? 'program');
    if (!target) return answer.writeHead(502).end('no process lives');
    const headers = { ...asked.headers };
    for (const name of CONNECTION_ONLY) delete headers[name];
    headers['x-forwarded-for'] = [headers['x-forwarded-for'], asked.socket.remoteAddress].filter(Boolean).join(', ');
    delete headers.forwarded;
    const { method, url: path } = asked;
    const passed = request(
      { host: '127.0.0.1', port: target.port, method, path, headers, agent: this.#connections },
      (response) => {
        target.served += 1;
        const lines = response.rawHeaders.flatMap((text, at, all) => (at % 2 ? [] : [[text, all[at + 1]]]));
        const kept = lines.filter(([name]) => !CONNECTION_ONLY.includes(name.toLowerCase()));
        answer.writeHead(response.statusCode, kept.flat());
        // What was said so far must not wait for the rest: event streams stay open.
        answer.flushHeaders();
        response.on('error', () => answer.destroy()).pipe(answer);
      },
    );
    passed.on('error', () => {
      if (answer.headersSent) answer.destroy();
      else answer.writeHead(502).end('the process did not answer');
    });
    answer.on('close', () => passed.destroy());
    return asked.pipe(passed);
  }
}
