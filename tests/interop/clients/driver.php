<?php
// PHP's SoapClient as a driver (protocol: tests/interop/driver.py).
function say(array $message): void
{
    fwrite(STDOUT, json_encode($message, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR) . "\n");
}

$start = json_decode(fgets(STDIN), true, 512, JSON_THROW_ON_ERROR);
try {
    $client = new SoapClient($start['wsdl'], [
        'soap_version' => $start['soap'] === '1.2' ? SOAP_1_2 : SOAP_1_1,
        'cache_wsdl' => WSDL_CACHE_NONE,
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
        'exceptions' => true,
        'connection_timeout' => 20,
    ]);
} catch (Throwable $error) {
    say(['error' => $error->getMessage()]);
    exit(1);
}
say(['version' => PHP_VERSION]);

while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    try {
        say(['reply' => $client->__soapCall($call['operation'], [$call['request']])]);
    } catch (SoapFault $fault) {
        // Without a detail the fault is most likely the client's own ("Encoding: object has no 'x' property").
        if (isset($fault->detail)) {
            say(['fault' => ['code' => $fault->faultcode, 'reason' => $fault->getMessage(), 'detail' => $fault->detail]]);
        } else {
            say(['error' => "$fault->faultcode: {$fault->getMessage()}"]);
        }
    } catch (Throwable $error) {
        say(['error' => $error->getMessage()]);
    }
}
