// Node's soap with its own WSSecurity, WSSecurityCert and both. Told on the command line, as JSON.
const fs = require('fs');
const soap = require('soap');

const told = JSON.parse(process.argv[2]);
const wsu = { hasTimeStamp: true, hasNonce: true };

function security() {
    const word = () => new soap.WSSecurity(told.name, told.password, {
        ...wsu, passwordType: told.how === 'text' ? 'PasswordText' : 'PasswordDigest', mustUnderstand: true,
        hasTimeStamp: told.how !== 'both',
    });
    const signature = () => new soap.WSSecurityCert(fs.readFileSync(told.key), fs.readFileSync(told.certificate), '', {
        hasTimeStamp: true,
        signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
        digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
    });
    if (told.how === 'signature') return signature();
    return told.how === 'both' ? new soap.WSSecurityPlusCert(word(), signature()) : word();
}

async function main() {
    const client = await soap.createClientAsync(told.wsdl, { forceSoap12Headers: told.soap === '1.2' });
    client.setSecurity(security());
    try {
        const [reply] = await client.EchoAsync({ text: 'hello', number: 3 }, { timeout: 20000 });
        console.log(JSON.stringify({ reply: reply.text }));
    } catch (error) {
        console.log(JSON.stringify({ fault: error.message, sent: client.lastRequest }));
    }
}

main();
