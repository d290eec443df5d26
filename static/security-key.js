// Asks a security key, and puts its answer into the form that stands on the page. Without a script there are codes.

const form = document.querySelector("form[data-key]");
const options = JSON.parse(document.getElementById("key-options").textContent);

const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function readOptions(publicKey) {
  const read = { ...publicKey, challenge: toBytes(publicKey.challenge) };
  if (publicKey.user) read.user = { ...publicKey.user, id: toBytes(publicKey.user.id) };
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    read[list] = (publicKey[list] ?? []).map((each) => ({ ...each, id: toBytes(each.id) }));
  }
  return read;
}

function write(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  const { id, type, authenticatorAttachment } = credential;
  return { id, rawId: toText(credential.rawId), type, authenticatorAttachment, response, clientExtensionResults: {} };
}

async function ask() {
  const publicKey = readOptions(options.publicKey);
  const act = form.dataset.key === "create" ? "create" : "get";
  const credential = await navigator.credentials[act]({ publicKey });
  form.elements.answer.value = JSON.stringify(write(credential));
  form.submit();
}

function fail() {
  form.querySelector("[data-failed]").hidden = false;
}

if (window.PublicKeyCredential) {
  form.hidden = false;
  form.querySelector("button").addEventListener("click", (event) => {
    event.preventDefault();
    form.querySelector("[data-failed]").hidden = true;
    ask().catch(fail);
  });
}
