// A Node program that buys: node buyer.js PURCHASING_WSDL INVENTORY_WSDL SOAP_VERSION OWN_ID
// Prints one JSON document with what it got. Needs the package soap (npm install soap), found from the working folder.
'use strict';
const { createRequire } = require('node:module');
const soap = createRequire(process.cwd() + '/')('soap');

const [purchasingWsdl, inventoryWsdl, version, own] = process.argv.slice(2);
const options = { forceSoap12Headers: version === '1.2', disableCache: true };

const line = (lineNumber, sku, quantity, unitPrice) => ({
    lineNumber,
    item: { sku },
    quantity: { attributes: { unit: 'H87' }, $value: quantity },
    unitPrice,
});

const order = (currency, lines) => ({
    orderDate: '2026-03-02',
    currency,
    buyer: { code: 'CO-NB01', name: '青禾样例进出口有限公司' },
    supplier: { code: 'SUP-20417', name: 'Musterhafen Antriebe GmbH' },
    shipTo: { warehouse: 'WH-NB1' },
    line: lines,
});

async function refused(call) {
    try {
        await call();
    } catch (error) {
        if (!error.root) throw error;
        const fault = error.root.Envelope.Body.Fault;
        return { status: error.response.status, fault, reply: error.body };
    }
    return {};
}

async function main() {
    const purchasing = await soap.createClientAsync(purchasingWsdl, options);
    const inventory = await soap.createClientAsync(inventoryWsdl, options);
    const suffix = version.replace('.', '');
    const orders = purchasing.Purchasing[`PurchasingSoap${suffix}`];
    const stock = inventory.Inventory[`InventorySoap${suffix}`];
    const call = (port, name, request) =>
        new Promise((resolve, reject) => port[name](request, (error, answer) => (error ? reject(error) : resolve(answer))));

    const result = {};
    result.placed = await call(orders, 'CreatePurchaseOrder', {
        requestId: own,
        order: order('EUR', [line(10, 'BRG-6204-2RS', '2.5', '1.86')]),
    });
    result.read = await call(orders, 'GetPurchaseOrder', { purchaseOrder: { requestId: own } });
    result.posted = await call(stock, 'UpdateStock', {
        requestId: own,
        movement: [
            {
                sku: own,
                quantity: { attributes: { unit: 'KGM' }, $value: '7.5' },
                receipt: { warehouse: 'WH-NB1', reason: 'purchase' },
            },
        ],
    });
    result.stock = await call(stock, 'GetStock', { sku: [own] });
    result.missing = await refused(() => call(orders, 'GetPurchaseOrder', { purchaseOrder: { requestId: `${own}-none` } }));
    result.bad = await refused(() =>
        call(orders, 'CreatePurchaseOrder', {
            requestId: `${own}-bad`,
            order: order('euro', [line(10, 'no such form', '0', '1')]),
        }),
    );
    console.log(JSON.stringify(result, null, 2));
}

main().catch((error) => {
    console.error(error.stack || error);
    process.exit(1);
});
