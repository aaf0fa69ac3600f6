// A mail server that keeps everything, and the page on which it is read.
//
// Nodes send to it over SMTP as to any other server: in a fleet the sender of a mail is not the process that shows a
// mailbox page. The page has the parts that the journeys use of the product's own: an `article` per letter, newest
// first, with its links.

import { createServer } from 'node:net';

import { until } from '../harness/product.mjs';

const KEPT = 200;
/** A letter is on its way when the page that announces it is shown; people look into their mailbox later than that. */
const PATIENCE_MS = 300;

export class Mail {
  letters = [];

  static async listen() {
    const mail = new Mail();
    mail.sockets = new Set();
    mail.server = createServer((socket) => mail.#talk(socket));
    await new Promise((listening) => mail.server.listen(0, '127.0.0.1', listening));
    mail.url = `smtp://127.0.0.1:${mail.server.address().port}`;
    return mail;
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((closed) => this.server.close(closed));
  }

  /** The link in the newest letter to this address that matches. */
  link(to, part) {
    return until(() => {
      const letter = this.letters.find((letter) => letter.to === to && letter.text.includes(part));
      return letter && links(letter.text).find((link) => link.includes(part));
    }, `mail to ${to}`, 20_000);
  }

  /** Answers `GET /mailbox`. */
  answer(asked, answer) {
    if (asked.method !== 'GET' || asked.url !== '/mailbox') return false;
    setTimeout(() => answer.setHeader('content-type', 'text/html; charset=utf-8').end(this.#page()), PATIENCE_MS);
    return true;
  }

  #page() {
    const letters = this.letters.map(({ to, subject, text }) => {
      const anchors = links(text).map((link) => `<p><a href="${escape(link)}">${escape(link.split('?')[0])}</a></p>`);
      return `<article><h2>${escape(subject)}</h2><p>${escape(to)}</p><div class="pad">${anchors.join('')}</div></article>`;
    });
    const head = '<meta charset="utf-8"><title>Mail</title><link rel="icon" href="data:,">';
    return `<!doctype html><html lang="en">${head}<main><h1>Mail</h1>${letters.join('')}</main></html>`;
  }

  #talk(socket) {
    this.sockets.add(socket);
    const say = (line) => socket.write(`${line}\r\n`);
    let [recipient, data, pending] = ['', undefined, ''];
    const heard = (line) => {
      if (data) {
        if (line !== '.') return data.push(line.replace(/^\./, ''));
        this.#keep(recipient, data);
        data = undefined;
        return say('250 kept');
      }
      const [, to] = line.match(/^RCPT TO:<([^>]*)>/i) ?? [];
      if (to) recipient = to;
      if (/^DATA/i.test(line)) data = [];
      if (/^QUIT/i.test(line)) return socket.end('221 bye\r\n');
      return say(data ? '354 go on' : '250 ok');
    };
    socket.setEncoding('utf8').on('error', () => socket.destroy()).on('close', () => this.sockets.delete(socket));
    socket.on('data', (text) => {
      const lines = (pending + text).split('\r\n');
      pending = lines.pop();
      lines.forEach(heard);
    });
    say('220 here');
  }

  #keep(to, lines) {
    const empty = lines.indexOf('');
    const head = lines.slice(0, empty).join('\n').replace(/\n[ \t]+/g, ' ');
    const header = (name) => head.match(new RegExp(`^${name}: (.*)$`, 'im'))?.[1] ?? '';
    const body = lines.slice(empty + 1).join('\n');
    const text = decode(body, header('Content-Transfer-Encoding').toLowerCase());
    this.letters.unshift({ to, subject: header('Subject'), text });
    this.letters.length = Math.min(this.letters.length, KEPT);
  }
}

function decode(body, encoding) {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString();
  if (encoding !== 'quoted-printable') return body;
  const joined = body.replace(/=\n/g, '');
  const bytes = joined.replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}

function links(text) {
  return text.match(/https?:\/\/\S+/g) ?? [];
}

function escape(text) {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);
}
