<?php
// A PHP program that buys: php buyer.php PURCHASING_WSDL INVENTORY_WSDL SOAP_VERSION OWN_ID
// Prints one JSON document with what it got.
[, $purchasingWsdl, $inventoryWsdl, $version, $own] = $argv;
$options = [
    'soap_version' => $version === '1.2' ? SOAP_1_2 : SOAP_1_1,
    'cache_wsdl' => WSDL_CACHE_NONE,
    'trace' => true,
    'exceptions' => true,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'connection_timeout' => 20,
];

// Both ports have one address: the version alone says which of them this client speaks to.
$purchasing = new SoapClient($purchasingWsdl, $options);
$inventory = new SoapClient($inventoryWsdl, $options);

function line(int $number, string $sku, string $quantity, string $price): array
{
    return [
        'lineNumber' => $number,
        'item' => ['sku' => $sku],
        'quantity' => ['_' => $quantity, 'unit' => 'H87'],
        'unitPrice' => $price,
    ];
}

function order(string $currency, array $lines): array
{
    return [
        'orderDate' => '2026-03-02',
        'currency' => $currency,
        'buyer' => ['code' => 'CO-NB01', 'name' => '青禾样例进出口有限公司'],
        'supplier' => ['code' => 'SUP-20417', 'name' => 'Musterhafen Antriebe GmbH'],
        'shipTo' => ['warehouse' => 'WH-NB1'],
        'line' => $lines,
    ];
}

function refused(SoapClient $client, callable $call): array
{
    try {
        $call();
    } catch (SoapFault $fault) {
        return [
            'code' => $fault->faultcode,
            'reason' => $fault->faultstring,
            'detail' => $fault->detail ?? null,
            'status' => explode(' ', explode("\r\n", $client->__getLastResponseHeaders())[0])[1],
            'reply' => $client->__getLastResponse(),
        ];
    }
    return ['code' => null];
}

$result = ['functions' => $purchasing->__getFunctions()];
$good = ['requestId' => $own, 'order' => order('EUR', [line(10, 'BRG-6204-2RS', '2.5', '1.86')])];
$result['placed'] = $purchasing->CreatePurchaseOrder($good);
$result['read'] = $purchasing->GetPurchaseOrder(['purchaseOrder' => ['requestId' => $own]]);
$result['posted'] = $inventory->UpdateStock([
    'requestId' => $own,
    'movement' => [[
        'sku' => $own,
        'quantity' => ['_' => '7.5', 'unit' => 'KGM'],
        'receipt' => ['warehouse' => 'WH-NB1', 'reason' => 'purchase'],
    ]],
]);
$result['stock'] = $inventory->GetStock(['sku' => [$own]]);
$result['missing'] = refused($purchasing, fn () => $purchasing->GetPurchaseOrder(['purchaseOrder' => ['requestId' => "$own-none"]]));
$result['bad'] = refused($purchasing, fn () => $purchasing->CreatePurchaseOrder([
    'requestId' => "$own-bad",
    'order' => order('euro', [line(10, 'no such form', '0', '1')]),
]));
echo json_encode($result, JSON_UNESCAPED_UNICODE | JSON_PRETTY_PRINT | JSON_THROW_ON_ERROR), "\n";
