// Shows /api/openapi.json and lets one try it. Everything is set as text, never as markup.
// @ts-check

const METHODS = ["get", "head", "post", "put", "patch", "delete"];

/** @param {string} tag @param {Record<string, string>} [attributes] @param {...(Node | string)} children */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Follows `$ref`s within the document. @param {any} root @param {any} schema */
function resolve(root, schema) {
  let found = schema ?? {};
  for (let step = 0; found.$ref && step < 10; step += 1) {
    found = found.$ref.split("/").slice(1).reduce((/** @type {any} */ at, /** @type {string} */ name) => at?.[name], root) ?? {};
  }
  return found;
}

/** A sample value of a schema. @param {any} root @param {any} schema @param {number} [depth] @returns {any} */
function sample(root, schema, depth = 0) {
  const found = resolve(root, schema);
  if (found.example !== undefined) return found.example;
  if (found.enum) return found.enum[0];
  const choice = (found.oneOf ?? found.anyOf ?? []).find((/** @type {any} */ one) => one.type !== "null");
  if (choice) return sample(root, choice, depth);
  const type = [found.type].flat().find((one) => one && one !== "null");
  if (type === "object" && depth < 6) {
    const entries = Object.entries(found.properties ?? {});
    return Object.fromEntries(entries.map(([name, inner]) => [name, sample(root, inner, depth + 1)]));
  }
  if (type === "array") return depth < 6 ? [sample(root, found.items, depth + 1)] : [];
  return { string: "", integer: 0, number: 0, boolean: false }[String(type)] ?? null;
}

/** A body to begin with: the required fields and those with an example. @param {any} root @param {any} schema */
function draft(root, schema) {
  const found = resolve(root, schema);
  const wanted = Object.entries(found.properties ?? {}).filter(
    ([name, inner]) => found.required?.includes(name) || resolve(root, inner).example !== undefined,
  );
  return JSON.stringify(Object.fromEntries(wanted.map(([name, inner]) => [name, sample(root, inner)])), null, 2);
}

/** @param {any} parameter */
function field(parameter) {
  const input = element("input", { name: `${parameter.in}:${parameter.name}`, autocomplete: "off" });
  if (parameter.required) input.setAttribute("required", "");
  const name = element("span", parameter.required ? { class: "required" } : {}, parameter.name);
  name.append(element("small", {}, parameter.description ?? ""));
  return element("label", {}, name, input);
}

/** @param {string} path @param {FormData} values @param {string} token */
function address(path, values, token) {
  const query = new URLSearchParams();
  const headers = new Headers();
  let target = path;
  for (const [name, value] of values) {
    if (typeof value !== "string" || value === "") continue;
    const [where, key] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
    if (where === "path") target = target.replace(`{${key}}`, value.split("/").map(encodeURIComponent).join("/"));
    if (where === "query") query.set(key, value);
    if (where === "header") headers.set(key, value);
  }
  if (token) headers.set("Authorization", `Bearer ${token}`);
  return { target: query.size ? `${target}?${query}` : target, headers };
}

/** @param {HTMLFormElement} form @param {string} method @param {string} path @param {HTMLElement} out */
async function send(form, method, path, out) {
  const values = new FormData(form);
  const token = /** @type {HTMLInputElement} */ (document.getElementById("token")).value;
  const { target, headers } = address(path, values, token);
  const file = values.get("body:file");
  const text = values.get("body:text");
  const body = file instanceof File ? file : typeof text === "string" && text !== "" ? text : undefined;
  if (typeof body === "string") headers.set("Content-Type", "application/json");
  out.replaceChildren("…");
  try {
    const reply = await fetch(target, { method: method.toUpperCase(), headers, body });
    const head = element("strong", { class: reply.ok ? "good" : "bad" }, `${reply.status} ${reply.statusText}\n`);
    const lines = [...reply.headers].map(([name, value]) => `${name}: ${value}\n`).join("");
    out.replaceChildren(head, lines, "\n");
    await show(reply, out);
  } catch (error) {
    out.replaceChildren(element("strong", { class: "bad" }, String(error)));
  }
}

/** Text as it comes, so that events show at once; about 64 KiB of it. @param {Response} reply @param {HTMLElement} out */
async function show(reply, out) {
  const shown = element("span");
  out.append(shown);
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    text += next.value;
    shown.append(next.value);
    if (text.length > 65536) {
      await reader?.cancel();
      shown.append("\n… and more");
      return;
    }
  }
  if ((reply.headers.get("Content-Type") ?? "").includes("json") && text !== "") {
    shown.replaceChildren(JSON.stringify(JSON.parse(text), null, 2));
  }
}

/** @param {any} root @param {string} path @param {string} method @param {any} operation */
function card(root, path, method, operation) {
  const form = /** @type {HTMLFormElement} */ (element("form", {}, ...(operation.parameters ?? []).map(field)));
  const content = operation.requestBody?.content ?? {};
  const json = content["application/json"];
  if (json) {
    const area = element("textarea", { name: "body:text", spellcheck: "false" }, draft(root, json.schema));
    form.append(element("label", {}, element("span", {}, "body"), area));
  } else if (Object.keys(content).length > 0) {
    form.append(element("label", {}, element("span", {}, "body"), element("input", { type: "file", name: "body:file" })));
  }
  const out = element("pre", { hidden: "" });
  form.append(element("button", {}, "Send"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    out.removeAttribute("hidden");
    void send(form, method, path, out);
  });
  const rows = Object.entries(operation.responses ?? {}).map(([status, response]) => {
    const described = /** @type {any} */ (resolve(root, response));
    return element("tr", {}, element("td", {}, element("code", {}, status)), element("td", {}, described.description ?? ""));
  });
  const summary = element("summary", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("span", { class: "path" }, path), element("span", { class: "text" }, operation.summary ?? ""));
  const replies = element("details", {}, element("summary", {}, "Replies"), element("table", {}, element("tbody", {}, ...rows)));
  return element("details", {}, summary, element("div", { class: "body" },
    element("p", {}, operation.description ?? ""), form, out, replies));
}

async function main() {
  const reply = await fetch("/api/openapi.json");
  const root = await reply.json();
  document.getElementById("version")?.replaceChildren(root.info.version);
  document.getElementById("description")?.replaceChildren(root.info.description ?? "");
  /** @type {Map<string, Node[]>} */
  const groups = new Map();
  for (const [path, item] of Object.entries(root.paths)) {
    for (const method of METHODS.filter((one) => item[one])) {
      const operation = item[method];
      const tag = operation.tags?.[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), card(root, path, method, operation)]);
    }
  }
  const sections = [...groups].map(([tag, cards]) => element("section", {}, element("h2", {}, tag), ...cards));
  document.getElementById("operations")?.replaceChildren(...sections);
}

await main();
