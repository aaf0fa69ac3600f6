// The admin API as automation uses it: a token from `bailiwick token`, JSON over HTTP.
//
// Suites use it only to prepare what is not the thing under test; the console journeys never do.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { BINARY, canary, ownEnvironment } from './product.mjs';

export class AdminApi {
  static async open(product, { tenant, role }) {
    const run = promisify(execFile);
    const args = ['token', '--data-dir', product.dataDir, '--tenant', tenant, '--role', role];
    if (product.config) args.push('--config', product.config);
    const { stdout } = await run(BINARY, args, { env: ownEnvironment() });
    const token = stdout.trim();
    canary(token);
    return new AdminApi(`${product.consoleUrl}/v1`, token);
  }

  constructor(base, token) {
    Object.assign(this, { base, token });
  }

  async call(method, path, body, more = {}) {
    const response = await fetch(this.base + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body && { 'content-type': 'application/json' }), ...more },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.code}: ${answer.detail}`);
    return answer;
  }

  async tenant(slug) {
    const { items } = await this.call('GET', '/tenants');
    const found = items.find((tenant) => tenant.slug === slug);
    if (!found) throw new Error(`no tenant ${slug}`);
    return found;
  }

  /** A new application's credentials. */
  async createApplication(tenant, wanted) {
    const made = await this.call('POST', `/tenants/${tenant}/applications`, wanted);
    canary(made.client_secret);
    return { client_id: made.application.client_id, client_secret: made.client_secret };
  }
}
