<?php
// PHP's SoapClient with a Security header made by hand: PHP has none of its own. Told on the command line, as JSON.
const WSSE = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
const WSU = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd';
const PROFILE = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0';

function security(string $name, string $password, bool $digest): SoapHeader
{
    $nonce = random_bytes(16);
    $created = gmdate('Y-m-d\TH:i:s\Z');
    $type = $digest ? 'PasswordDigest' : 'PasswordText';
    $secret = $digest ? base64_encode(sha1($nonce . $created . $password, true)) : htmlspecialchars($password, ENT_XML1);
    $xml = '<wsse:Security xmlns:wsse="' . WSSE . '" xmlns:wsu="' . WSU . '"><wsse:UsernameToken>'
        . '<wsse:Username>' . htmlspecialchars($name, ENT_XML1) . '</wsse:Username>'
        . '<wsse:Password Type="' . PROFILE . '#' . $type . '">' . $secret . '</wsse:Password>'
        . '<wsse:Nonce>' . base64_encode($nonce) . '</wsse:Nonce>'
        . '<wsu:Created>' . $created . '</wsu:Created></wsse:UsernameToken></wsse:Security>';
    return new SoapHeader(WSSE, 'Security', new SoapVar($xml, XSD_ANYXML), true);
}

$told = json_decode($argv[1], true, 512, JSON_THROW_ON_ERROR);
try {
    $client = new SoapClient($told['wsdl'], [
        'soap_version' => $told['soap'] === '1.2' ? SOAP_1_2 : SOAP_1_1,
        'cache_wsdl' => WSDL_CACHE_NONE,
        'stream_context' => stream_context_create(['ssl' => ['cafile' => $told['ca']]]),
    ]);
    $client->__setSoapHeaders([security($told['name'], $told['password'], $told['how'] === 'digest')]);
    echo json_encode(['reply' => $client->Echo(['text' => 'hello', 'number' => 3])->text]), "\n";
} catch (SoapFault $fault) {
    echo json_encode(['fault' => $fault->getMessage()]), "\n";
}
