// Node's soap as a driver (protocol: tests/interop/driver.py). The package is found from the working folder.
'use strict';
const { createRequire } = require('node:module');
const readline = require('node:readline');
const packages = createRequire(process.cwd() + '/');
const soap = packages('soap');

const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');

// Ours: {_: text, attribute: value}. The package's: {$value: text, attributes: {attribute: value}}.
function given(value) {
    if (Array.isArray(value)) return value.map(given);
    if (value === null || typeof value !== 'object') return value;
    if ('_' in value) {
        const { _: $value, ...attributes } = value;
        return { attributes, $value };
    }
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, given(one)]));
}

function got(value) {
    if (value instanceof Date) return value.toISOString();
    if (Array.isArray(value)) return value.map(got);
    if (value === null || typeof value !== 'object') return value;
    if ('$value' in value) return { _: value.$value, ...value.attributes };
    const { attributes, ...children } = value;
    return Object.fromEntries(Object.entries(children).map(([name, one]) => [name, got(one)]));
}

// The port for a SOAP version, by the family's rule for names (docs/contracts.md).
function port(client, version) {
    for (const [service, ports] of Object.entries(client.describe())) {
        for (const name of Object.keys(ports)) {
            if (name.endsWith(`Soap${version.replace('.', '')}`)) return client[service][name];
        }
    }
    throw new Error(`no port for SOAP ${version}`);
}

async function main() {
    const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    const start = JSON.parse((await lines.next()).value);
    let calls;
    try {
        const client = await soap.createClientAsync(start.wsdl, {
            forceSoap12Headers: start.soap === '1.2',
            disableCache: true,
        });
        calls = port(client, start.soap);
    } catch (error) {
        say({ error: error.message });
        return;
    }
    say({ version: packages('soap/package.json').version });
    for (;;) {
        const { value: line, done } = await lines.next();
        if (done) return;
        const { operation, request } = JSON.parse(line);
        say(
            await new Promise((resolve) =>
                calls[operation](given(request), (error, answer) => {
                    const fault = error?.root?.Envelope?.Body?.Fault;
                    if (fault) resolve({ fault: { code: '', reason: error.message, detail: got(fault.detail ?? fault.Detail) } });
                    else if (error) resolve({ error: error.message });
                    else resolve({ reply: got(answer) });
                }),
            ),
        );
    }
}

main();
