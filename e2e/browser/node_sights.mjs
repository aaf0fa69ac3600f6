// The pages about nodes, and how a person gets to see them. They tell one story, so the list is walked in order: a
// node is created, waits, cannot be joined to an installation of one process, and is deleted again.

import * as steps from '../harness/steps.mjs';

const NODES = '/p/nodes';
const NAME = 'eu-1';
/** May look at nodes and change none. */
const SUPPORT = { email: 'sam@vendor.example', name: 'Sam Ortiz', password: 'six blue kettles sang' };

function sight(name, go, ...status) {
  return { name, status, go };
}

function open(person, product, path) {
  return steps.openConsole(person, product, product.operator('platform_owner'), path);
}

/** From the list to the node that was created here. */
async function toNode(person, product) {
  await open(person, product, NODES);
  await person.page.getByRole('main').getByRole('link', { name: NAME }).click();
  await person.page.getByRole('heading', { level: 1, name: NAME }).waitFor();
}

/** An operator of the demo installation who is not in its file: invited by the owner, as a person would be. */
async function inviteSupport(person, product) {
  const { page } = person;
  await open(person, product, '/p/staff');
  await page.locator('#name').fill(SUPPORT.name);
  await page.locator('#email').fill(SUPPORT.email);
  await page.getByRole('radio', { name: 'Support engineer' }).check();
  await page.getByRole('button', { name: 'Send invitation', exact: true }).click();
  await page.getByRole('status').filter({ hasText: SUPPORT.name }).waitFor();
  await person.context.clearCookies();
  await steps.acceptInvitation(person, product, SUPPORT);
}

export const nodePages = [
  sight('node-embedded', async (person, product) => {
    await open(person, product, NODES);
    await person.page.getByRole('main').locator('.row-link').first().click();
    await person.page.getByText('It has none and needs none').waitFor();
  }),
  sight('node-new', (person, product) => open(person, product, `${NODES}/new`)),
  sight('node-new-refused', async (person, product) => {
    await open(person, product, `${NODES}/new`);
    await person.page.locator('#name').fill('EU 1');
    await steps.sendForm(person);
    await person.page.locator('#name-error').waitFor();
  }, 422),
  sight('node-created', async (person, product) => {
    await open(person, product, NODES);
    await person.page.getByRole('link', { name: 'New node' }).click();
    await person.page.locator('#name').fill(NAME);
    await steps.sendForm(person);
    await person.page.getByRole('button', { name: 'Make join token' }).waitFor();
  }),
  sight('nodes-awaiting', (person, product) => open(person, product, NODES)),
  sight('node-awaiting', toNode),
  sight('node-join-refused', async (person, product) => {
    await toNode(person, product);
    await person.page.getByRole('link', { name: 'Join it' }).click();
    await person.page.getByRole('button', { name: 'Make join token' }).click();
    await person.page.getByRole('alert').filter({ hasText: 'No join token was made' }).waitFor();
  }, 409),
  sight('node-history', async (person, product) => {
    await toNode(person, product);
    await person.page.getByRole('link', { name: 'History' }).click();
    await person.page.getByRole('heading', { level: 1, name: 'Audit log' }).waitFor();
    await person.page.locator('td.what').first().waitFor();
  }),
  sight('node-delete-refused', async (person, product) => {
    await toNode(person, product);
    await person.page.locator('#confirm').fill('eu-2');
    await person.page.getByRole('button', { name: 'Delete node' }).click();
    await person.page.locator('#confirm-error').waitFor();
  }, 422),
  sight('node-support', async (person, product) => {
    await inviteSupport(person, product);
    await steps.openConsole(person, product, SUPPORT, NODES);
    await person.page.getByRole('main').getByRole('link', { name: NAME }).click();
    await person.page.getByText('You can look at this, but not change it').waitFor();
  }),
  sight('node-support-refused', async (person, product) => {
    await steps.openConsole(person, product, SUPPORT, `${NODES}/new`);
    await person.page.getByText('Node operation (service.nodes)').waitFor();
  }, 403),
  sight('node-deleted', async (person, product) => {
    await toNode(person, product);
    await person.page.locator('#confirm').fill(NAME);
    await person.page.getByRole('button', { name: 'Delete node' }).click();
    await person.page.getByRole('status').filter({ hasText: `Deleted ${NAME}` }).waitFor();
  }),
  sight('node-authorities', (person, product) => open(person, product, `${NODES}/authorities`)),
  sight('node-authorities-next', async (person, product) => {
    await open(person, product, `${NODES}/authorities`);
    await person.page.getByRole('button', { name: 'Make the next authority' }).click();
    await person.page.getByText('Wait a moment, then reload').waitFor();
  }),
];
