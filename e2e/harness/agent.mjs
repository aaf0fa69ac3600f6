// A person's browser reduced to what OAuth needs of it: a cookie jar, redirects and forms, over fetch.
//
// It knows nothing of the product but the element ids that hosted pages promise (`identifier`, `password`,
// `submit`, `allow`, `deny`), so a suite that uses it also shows that these pages work without JavaScript.
// It must never be taught an endpoint: it only goes where a page or a redirect sends it.

const MOST_REDIRECTS = 12;
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

export class Agent {
  #cookies = new Map();

  /** Opens an address and follows redirects; stops before one that begins with `stopAt` and answers it. */
  async open(address, { stopAt, method = 'GET', body } = {}) {
    let [url, verb, payload] = [new URL(address), method, body];
    for (let hop = 0; hop <= MOST_REDIRECTS; hop += 1) {
      if (stopAt && url.href.startsWith(stopAt)) return { url, arrived: true };
      const response = await fetch(url, {
        method: verb,
        body: payload,
        redirect: 'manual',
        headers: { accept: 'text/html', cookie: this.#cookieHeader(url) },
        signal: AbortSignal.timeout(20_000),
      });
      this.#remember(url, response.headers.getSetCookie());
      const next = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || !next) {
        return new Page(url, response.status, await response.text());
      }
      await response.body?.cancel();
      url = new URL(next, url);
      // 307 and 308 repeat the request; every other redirect after a form is a GET (RFC 9110 section 15.4).
      if (response.status !== 307 && response.status !== 308) [verb, payload] = ['GET', undefined];
    }
    throw new Error(`more than ${MOST_REDIRECTS} redirects, last to ${url.origin}${url.pathname}`);
  }

  /** Sends the form that holds the button `pressed` (an element id), with `values` filled in by name or id. */
  async submit(page, values, pressed, options = {}) {
    const { action, method, fields } = page.form(pressed);
    const filled = new URLSearchParams();
    for (const { name, id, value } of fields) filled.append(name, values[id] ?? values[name] ?? value);
    const target = new URL(action || page.url.href, page.url);
    if (method === 'get') {
      target.search = filled;
      return this.open(target, options);
    }
    return this.open(target, { ...options, method: 'POST', body: filled });
  }

  /** Goes to an authorization address as `user` and answers the redirect back to the application. */
  async authorize(address, user, stopAt) {
    let page = await this.open(address, { stopAt });
    for (let step = 0; step < 6 && !page.arrived; step += 1) {
      const values = { identifier: user.email, password: user.password };
      const onward = page.link('submit');
      if (onward) page = await this.open(onward, { stopAt });
      else if (page.has('allow')) page = await this.submit(page, {}, 'allow', { stopAt });
      else if (page.has('identifier')) page = await this.submit(page, values, 'submit', { stopAt });
      else throw new Error(`neither sign-in nor consent, but ${page.status}: ${page.text().slice(0, 300)}`);
    }
    if (!page.arrived) throw new Error('signing in went round in circles');
    return page.url;
  }

  #cookieHeader(url) {
    const jar = this.#cookies.get(url.hostname) ?? new Map();
    return [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  // A host's cookies are shared by its ports, as in browsers (RFC 6265 section 8.5).
  #remember(url, lines) {
    const jar = this.#cookies.get(url.hostname) ?? new Map();
    for (const line of lines) {
      const [pair] = line.split(';');
      const name = pair.slice(0, pair.indexOf('=')).trim();
      if (/;\s*max-age=0*(;|$)/i.test(line)) jar.delete(name);
      else jar.set(name, pair.slice(pair.indexOf('=') + 1).trim());
    }
    this.#cookies.set(url.hostname, jar);
  }
}

class Page {
  constructor(url, status, html) {
    Object.assign(this, { url, status, html });
  }

  has(id) {
    return new RegExp(`\\sid=["']?${id}["'\\s>]`).test(this.html);
  }

  /** Where the link with this element id goes, if there is one. */
  link(id) {
    const links = [...this.html.matchAll(/<a\b([^>]*)>/g)].map(([, text]) => attributes(text));
    const found = links.find((link) => link.id === id);
    return found && new URL(found.href, this.url);
  }

  /** The page as a person reads it, roughly. */
  text() {
    const body = this.html.replace(/<(style|script|head)[\s\S]*?<\/\1>/g, ' ');
    return unescape(body.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
  }

  /** Action, method and fields of the form in which `pressed` is a button. */
  form(pressed) {
    for (const [, opening, inside] of this.html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)) {
      const buttons = [...inside.matchAll(/<button\b([^>]*)>/g)].map(([, text]) => attributes(text));
      const button = buttons.find(({ id }) => id === pressed);
      if (!button) continue;
      const { action, method = 'get' } = attributes(opening);
      const inputs = [...inside.matchAll(/<input\b([^>]*)>/g)].map(([, text]) => attributes(text));
      const sent = inputs.filter(({ name, type, checked }) => {
        const ticked = checked !== undefined || (type !== 'checkbox' && type !== 'radio');
        return name && ticked;
      });
      if (button.name) sent.push(button);
      const fields = sent.map(({ name, id, value = '' }) => ({ name, id, value }));
      return { action, method: method.toLowerCase(), fields };
    }
    throw new Error(`${this.url.pathname} (${this.status}) has no form with #${pressed}: ${this.text().slice(0, 300)}`);
  }
}

function attributes(text) {
  const found = {};
  for (const [, name, double, single, bare] of text.matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    found[name.toLowerCase()] = unescape(double ?? single ?? bare ?? '');
  }
  return found;
}

function unescape(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });
}
