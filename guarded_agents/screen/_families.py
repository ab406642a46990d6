"""Words that an order to a model uses one for another: what is learnt of one of a family holds for all of it."""

from typing import Final

_FAMILIES: Final = """
ignore disregard forget override bypass overlook neglect skip dismiss discard omit circumvent abandon supersede
ignores ignoring ignored disregarding disregards forgetting overriding overrides bypassing bypasses supersedes
instructions instruction rules rule guidelines guideline directions direction directives directive restrictions
restriction constraints constraint policies policy principles limitations limits safeguards guardrails
previous prior earlier preceding above foregoing former existing initial original
assistant ai bot chatbot model llm agent gpt chatgpt claude gemini assistants bots chatbots models llms agents copilot
openai anthropic llama mistral bard
answer reply response output answers replies responses outputs responding answering
send forward transfer email mail post transmit upload submit relay deliver share dispatch exfiltrate leak
sends forwards emails mails uploads sending forwarding emailing mailing posting uploading sharing
reveal show print display repeat disclose expose divulge recite quote dump
reveals shows prints repeating revealing showing printing disclosing
password passwords credential credentials secret secrets token tokens key keys passphrase pin
delete remove erase wipe destroy purge
deletes removes deleting removing erasing wiping
call invoke execute run trigger launch
calls invoking executing running calling
write compose draft generate create produce craft author
writing composing drafting generating creating producing crafting
include add mention insert append integrate incorporate embed attach weave inject
including adding mentioning inserting appending integrating incorporating embedding
promote advertise recommend endorse praise advocate plug tout
promoting advertising recommending endorsing praising
explain describe outline detail elaborate summarise summarize list
explaining describing outlining detailing
tell inform notify advise remind
telling informing notifying
pretend act roleplay simulate imagine impersonate behave portray embody
pretending acting roleplaying simulating impersonating
character persona role alter ego figure protagonist villain
story tale novel poem essay song haiku limerick narrative screenplay script sonnet
unfiltered uncensored unrestricted unlimited limitless unbound jailbroken amoral unethical immoral lawless
censorship filters filter censor moderation
ethical ethics moral morals morality legality
illegal illicit unlawful harmful dangerous criminal malicious
hack hacking hacker hackers exploit breach crack infiltrate
bomb bombs explosive explosives weapon weapons grenade gun guns firearm firearms ammunition
malware virus ransomware trojan keylogger spyware worm botnet
drug drugs cocaine meth methamphetamine heroin narcotics fentanyl lsd
steal stealing theft rob robbing shoplift smuggle smuggling launder laundering embezzle
fraud scam phishing counterfeit forge forgery fake fraudulent deceive deceptive
kill murder poison torture stalk kidnap harass suicide bully blackmail extort
racist sexist hateful hatred nazi discriminate discrimination stereotypes propaganda defamatory
porn pornographic erotic sexual nude explicit nsfw
must shall should obliged required mandatory
never refuse decline reject apologize apologise apologies sorry
without instead rather
urgent important critical attention immediately notice warning
immediate urgently
system administrator admin developer root operator sysadmin
developers administrators operators
user human person customer owner
users humans
now henceforth hereafter
prompt prompts context configuration
confidential private sensitive proprietary
translate translation convert encode decode rewrite paraphrase rephrase transliterate
french spanish german italian japanese chinese latin russian portuguese korean arabic
first second third firstly
message messages inbox emails contacts conversation conversations
account accounts payment payments funds money balance iban wallet
privilege privileges permission permissions
link url site website click visit
always constantly
task job mission objective goal assignment
your you yourself yours u
ensure guarantee verify monitor review
please kindly
step steps guide tutorial manual walkthrough
"""


def _by_word() -> dict[bytes, bytes]:
    found = dict[bytes, bytes]()
    for number, line in enumerate(_FAMILIES.strip().split("\n"), start=1):
        for word in line.split():
            found.setdefault(word.encode(), b"%d" % number)
    return found


FAMILY: Final = _by_word()
"""The family of a word in lower case, a number from 1 on, which no folded word can be; words without one have none."""
