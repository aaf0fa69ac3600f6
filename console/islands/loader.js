// Hands the page's islands to the module that brings them to life.
//
// An external file, so that the content security policy needs neither a nonce nor inline scripts. It does
// what the framework's own inline loader does for islands, no more: our pages have no serialized resources,
// therefore the three lists that the module reads are empty. Until the last line ran, the page is as
// complete as it is without scripts; afterwards `data-js` shows what only works with them.
const tag = document.querySelector("script[data-module]");

globalThis.__RESOLVED_RESOURCES = [];
globalThis.__SERIALIZED_ERRORS = [];
globalThis.__INCOMPLETE_CHUNKS = [];

const islands = await import(tag.dataset.script);
await islands.default({ module_or_path: tag.dataset.module });
islands.hydrate();
for (const element of document.querySelectorAll("leptos-island")) {
  const hydrate = islands[element.dataset.component];
  // A page of an earlier build may meet a newer bundle for a moment: what is unknown stays as it is.
  if (hydrate) hydrate(element);
}
document.documentElement.dataset.js = "";
