#!/usr/bin/perl
# Perl's SOAP::Lite as a driver (protocol: tests/interop/driver.py).
# Of a WSDL it reads address, operations and actions, and no schema: the programmer writes namespaces and order, so
# this driver takes the request with qualified names.
use strict;
use warnings;
use JSON::PP;
use SOAP::Lite;

$| = 1;
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
sub tell_ { print $json->encode($_[0]), "\n" }

my $start = $json->decode(scalar <STDIN>);
my $operations = eval { (values %{ SOAP::Schema->new(schema_url => $start->{wsdl})->parse->services })[0] };
if (!$operations) { tell_({ error => "SOAP::Schema: " . ($@ || 'no operations') }); exit 1 }
tell_({ version => $SOAP::Lite::VERSION });
SOAP::Lite->soapversion($start->{soap});

while (my $line = <STDIN>) {
    my $call = $json->decode($line);
    my $known = $operations->{ $call->{operation} };
    tell_($known ? answer_of($known, $call) : { error => 'SOAP::Schema finds no such operation' });
}

sub answer_of {
    my ($known, $call) = @_;
    my ($name, undef, $content) = @{ $call->{qualified} };
    my ($namespace, $local) = $name =~ /^\{(.*)\}(.*)$/;
    my $client = SOAP::Lite->new->proxy($known->{endpoint}->value, timeout => 20);
    $client->on_action(sub { $known->{soapaction}->value })->autotype(0);
    $client->serializer->encodingStyle('');    # literal, and SOAP 1.2 forbids the attribute on the Envelope
    my $method = SOAP::Data->name($local)->uri($namespace)->prefix('m');
    my $som = eval { $client->call($method => map { given($_) } ref $content ? @$content : ()) };
    return { error => "$@" } if $@;
    return { error => 'no envelope: ' . $client->transport->status } if !ref $som;
    return { reply => got($som, '/Envelope/Body/[1]') } if !$som->match('/Envelope/Body/Fault');
    # SOAP::SOM's faultcode, faultstring and faultdetail know SOAP 1.1 alone; of 1.2 one asks by path.
    my $path = '/Envelope/Body/Fault';
    return $start->{soap} eq '1.1'
        ? fault_of($som, scalar $som->faultcode, scalar $som->faultstring, "$path/detail")
        : fault_of($som, scalar $som->valueof("$path/Code/Value"), scalar $som->valueof("$path/Reason/Text"), "$path/Detail");
}

sub fault_of {
    my ($som, $code, $reason, $detail) = @_;
    return { fault => { code => $code, reason => $reason, detail => $som->match($detail) ? got($som, $detail) : undef } };
}

# Prefixes by namespace. Without one SOAP::Lite makes a new prefix for each element of each call, so that a repeat is
# another text than the first request, and a long message has more prefixes than the bridge takes.
my %prefixes;

# [Clark name, attributes, text or children]. Without a type nothing is escaped for us.
sub given {
    my ($name, $attributes, $content) = @{ $_[0] };
    my ($namespace, $local) = $name =~ /^\{(.*)\}(.*)$/;
    my $value = ref $content ? \SOAP::Data->value(map { given($_) } @$content) : SOAP::Utils::encode_data($content);
    my $data = SOAP::Data->name($local => $value)->uri($namespace)->attr($attributes);
    $data->prefix($prefixes{$namespace} //= 'p' . keys %prefixes);
    return ref $content ? $data : $data->type('');
}

# Children by name, `_` and attributes where there are attributes, else text.
sub got {
    my ($som, $path) = @_;
    my @children = $som->dataof("$path/[>0]");
    my $own = $som->dataof($path);
    if (!@children) {
        my %attributes = map { /^(xmlns|xml:|\{)/ ? () : ($_ => $own->attr->{$_}) } keys %{ $own->attr || {} };
        return %attributes ? { %attributes, _ => $own->value } : $own->value;
    }
    my %found;
    push @{ $found{ $children[$_]->name } }, got($som, "$path/[" . ($_ + 1) . ']') for 0 .. $#children;
    return \%found;
}
