r"""The wordings that come with the guard. They are friction and evidence; the control is DESIGN section 7.

Each is one that texts written for models use and texts written for people hardly do. They see NFKC in either case.
Between words `_G` stands for anything or nothing that parts them, so that words run together match too. Words are
repeated from closed lists, never counted from open ones (``(\w+ ){0,5}``): a set remembers for each open gap where it
began, and the states of all gaps of all patterns multiply. Written like this, a hostile text costs what an ordinary one
does; a benchmark shows it.
"""

from typing import Final

from guarded_agents.screen._finding import Kind, Required, Stage
from guarded_agents.screen._pattern import Pattern

_G: Final = r"[\s*_~`\"',.:;!-]*"
_FILL: Final = (
    r"(?:(?:a|all|any|each|every|of|the|these|those|this|that|your|my|our|its|other|and|or|both|to|from|you|have|were"
    rf"|are|was|given|been|received|told|me|us|with|in|on|about|as|well|please|completely|entirely|now){_G})*"
)
_BEFORE: Final = (
    r"(?:previous(?:ly)?|prior|preceding|earlier|above|foregoing|initial|original|existing|current|past"
    r"|system|safety)"
)
_ORDERS: Final = (
    r"(?:instructions?|prompts?|rules?|guidelines?|directions|directives?|commands?|messages?|constraints?"
    r"|restrictions?|polic(?:y|ies)|programming|training|tasks?|requests?|orders|context|safeguards|protocols?)"
)
_IGNORE: Final = r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|neglect|bypass(?:ing)?|discard)"
_SEND: Final = r"(?:send|e-?mail|post|upload|forward|transmit|exfiltrate|leak|submit|share|report|include|append|add)"
_SECRETS: Final = (
    r"(?:api[\s_-]?keys?|access[\s_-]?tokens?|passwords?|passphrases?|credentials?|secrets?|private[\s_-]?keys?"
    r"|ssh[\s_-]?keys?|environment[\s_-]?variables?|env[\s_-]?vars?|session[\s_-]?cookies?|credit[\s_-]?card\w*"
    r"|chat[\s_-]?history|conversation[\s_-]?history|entire[\s_-]?conversation|system[\s_-]?prompt)"
)
_MODEL: Final = r"(?:ai|a\.i\.|artificial intelligence|llm|language model|assistant|chatbot|copilot|agent)"
_USER: Final = r"(?:the\s+)?(?:user|users|human|humans|customer|operator|owner|anyone|anybody)\b"

_OTHERS: Final = (
    r"(?:ignorier\w*|vergiss|missachte|übergeh\w*)\W+(?:(?:sie|bitte|alle|die|deine|ihre|aller)\W+)*"
    r"(?:vorherigen|bisherigen|vorangegangenen|vorigen|früheren|obigen)\W+(?:anweisung|instruktion|befehl|regel)|"
    r"(?:ignore[rz]?|oublie[rz]?)\W+(?:(?:toutes|les|tes|vos)\W+)*(?:instructions|consignes|directives|règles)"
    r"\W+(?:précédentes|antérieures|ci-dessus|initiales)|"
    r"(?:ignora|ignore|olvida|olvide)\W+(?:(?:todas|las|tus|sus)\W+)*(?:instrucciones|órdenes|reglas)"
    r"\W+(?:anteriores|previas|iniciales)|"
    r"(?:ignora|ignorate|dimentica)\W+(?:(?:tutte|le|tue)\W+)*(?:istruzioni|regole)\W+(?:precedenti|iniziali)|"
    r"(?:ignore|ignora|esqueça)\W+(?:(?:todas|as|suas)\W+)*(?:instruções|ordens|regras)\W+(?:anteriores|prévias)|"
    r"(?:negeer|vergeet)\W+(?:(?:alle|de|je|uw)\W+)*(?:vorige|eerdere|voorgaande|bovenstaande)"
    r"\W+(?:instructie|opdracht)|"
    r"(?:zignoruj|ignoruj|zapomnij)\W+(?:(?:wszystkie|swoje|o)\W+)*(?:poprzedni\w*|wcześniejsz\w*)"
    r"\W+(?:instrukcj|polece)|"
    r"(?:игнорируй(?:те)?|проигнорируй(?:те)?|забудь(?:те)?)[\s,]+(?:(?:все|о|свои|ваши)\s+)*"  # noqa: RUF001  Russian
    r"(?:предыдущ|прежн|прошл|вышестоящ)[а-я]+\s+(?:инструкци|указани|команд|правил)|"  # noqa: RUF001
    r"(?:忽略|無視|无视|忘记|忘記|不要理会)[你您]?(?:之前|以上|先前|前面|上述|所有|全部|一切|的)+(?:指令|指示|说明|說明|提示|命令|规则|規則)|"
    r"(?:これまで|以前|上記|前)の(?:すべての|全ての)?(?:指示|命令|プロンプト|ルール)を(?:すべて|全て)?(?:無視|忘れ)|"
    r"(?:이전|앞선|위의|기존)(?:의)?\s*(?:모든\s*)?(?:지시|명령|지침|프롬프트)(?:사항)?(?:을|를|은|는)?\s*(?:모두\s*)?무시|"
    r"(?:تجاهل|انس)\s+(?:جميع\s+|كل\s+)?(?:التعليمات|الأوامر)\s+السابقة"
)

_READ: Final = (Stage.TOOL_DEFINITION, Stage.TOOL_RESULT)
_EVERYWHERE: Final = tuple(Stage)


def _injection(name: str, text: str, required: Required = Required.ASK) -> Pattern:
    return Pattern(id=f"injection:{name}", kind=Kind.INJECTION, pattern=text, required=required, stages=_READ)


def _leak(name: str, text: str, stages: tuple[Stage, ...] = _READ) -> Pattern:
    return Pattern(id=f"exfiltration:{name}", kind=Kind.EXFILTRATION, pattern=text, stages=stages)


WORDINGS: Final = (
    # What it is told to stop obeying.
    _injection("ignore-previous", rf"\b{_IGNORE}{_G}{_FILL}{_BEFORE}{_G}{_FILL}(?:{_BEFORE}{_G}{_FILL})*{_ORDERS}\b"),
    _injection("ignore-given", rf"\b{_IGNORE}{_G}{_FILL}{_ORDERS}{_G}{_FILL}{_BEFORE}\b"),
    _injection(
        "ignore-everything",
        rf"\b{_IGNORE}{_G}(?:all|everything|anything){_G}{_FILL}(?:above|before|prior|previous)\b",
    ),
    _injection("ignore-other-languages", _OTHERS),
    # What it is told instead.
    _injection(
        "new-instructions",
        rf"\b(?:new|updated|revised|real|actual){_G}(?:system{_G})?(?:instructions?|task|objective"
        rf"|goal)\b{_G}(?:for{_G}you{_G}|from{_G}now{_G}on{_G})?(?:is|are|follow|below)\b",
    ),
    _injection(
        "instead-do",
        r"\binstead,?\s+(?:you\s+(?:must|should|will|have to)|(?:please\s+)?(?:perform|execute|follow"
        r"|carry out)\s+(?:the|these|this|my))\b",
    ),
    _injection(
        "from-now-on",
        r"\bfrom\s+(?:now|this\s+(?:point|moment))\s+(?:on|onwards?|forward),?\s+(?:you|your|act|respond"
        r"|answer|ignore|always|do\s+not|never)\b",
    ),
    _injection(
        "before-your-task",
        r"\bbefore\s+(?:you\s+)?(?:can\s+)?(?:solv|complet|answer|finish|continu|do|perform)(?:e|ing|ete"
        r"|eting)?\s+(?:the|your|my|any|this)\s+(?:(?:original|user'?s?|current|main)\s+)*(?:task|request"
        r"|question)s?\b",
    ),
    _injection(
        "task-first",
        r"\b(?:this|it)\s+is\s+(?:very\s+)?(?:important|urgent|critical|crucial|imperative)\s+that\s+you\s+"
        r"(?:first|do|call|execute|follow|send|ignore|must)\b",
    ),
    # Who claims to speak.
    _injection(
        "message-from-user",
        r"\bimportant\s+message\s+from\s+(?:me|the\s+user|your\s+(?:user|owner|developer|creator"
        r"|administrator))\b",
        Required.QUARANTINE,
    ),
    _injection(
        "system-message",
        r"(?:^|[\s<\[({#*=-])(?:begin|start|end)\s+(?:of\s+)?(?:the\s+)?(?:system|admin|developer)\s+"
        r"(?:message|prompt|instructions?)\b",
    ),
    _injection(
        "system-override",
        r"\b(?:system|admin(?:istrator)?|root|security|developer|emergency|instruction)[\s_-]+(?:override"
        r"|overwrite|takeover|bypass)\b",
    ),
    _injection(
        "chat-template",
        r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|end_of_text|eot_id|begin_of_text"
        r"|start_header_id|end_header_id|endofprompt|channel|message)\|>|\[/?INST\]|<</?SYS>>|<(?:start"
        r"|end)_of_turn>|<\|(?:begin|end)▁of▁sentence\|>",
        Required.QUARANTINE,
    ),
    _injection(
        "role-heading",
        r"(?m)^\s*(?:#{1,6}\s*|\*\*|\[)?(?:system|assistant|developer)(?:\s+(?:prompt|message"
        r"|instructions?))?(?:\*\*|\])?\s*:\s*(?:you|ignore|from|the\s+user|disregard|new|your|do\s+not)\b",
    ),
    _injection(
        "role-tag",
        r"<\s*/?\s*(?:system|system[_-]?(?:prompt|message|instructions?)|admin|assistant|developer|important"
        r"|instructions?)\s*>",
    ),
    _injection(
        "tool-call",
        r"<\s*/?\s*(?:antml:)?(?:function_calls?|tool_calls?|invoke\s+name\s*=|tool_use|function_results?)"
        r"|\"tool_calls\"\s*:\s*\[",
    ),
    _injection(
        "to-the-model",
        rf"\b(?:attention|note|notice|message|reminder|instructions?|warning|dear|hey|hello)\b[\s,:-]*(?:(?:to"
        rf"|for|all|any|every|the|other)\s+)*{_MODEL}s?(?:\s+(?:agent|assistant|model|system)s?)?\s*[:,!.-]",
    ),
    _injection(
        "if-you-are-a-model",
        rf"\b(?:if|since|as|because|when)\s+you\s+(?:are|'re)\s+(?:an?|the)\s+(?:(?:automated|helpful"
        rf"|intelligent)\s+)*{_MODEL}\b",
    ),
    _injection(
        "models-reading",
        rf"\b{_MODEL}s?\s+(?:(?:agents?|models?|assistants?|systems?)\s+)*(?:that\s+(?:are\s+)?|who\s+(?:are\s+)?"
        rf"|currently\s+)*(?:reading|processing|parsing|summari[sz]ing|reviewing|seeing)\s+(?:this|the)\b",
    ),
    # What it is told to be.
    _injection(
        "persona",
        r"\b(?:you\s+are\s+now|you're\s+now|act\s+as|pretend\s+(?:to\s+be|that\s+you\s+are|you\s+are)"
        r"|roleplay\s+as|become|simulate)\s+(?:(?:an?|the|in|my|named|called|new)\s+)*(?:dan|dude|stan|aim"
        r"|evil|jailbroken|unrestricted|unfiltered|uncensored|unlimited|amoral|developer\s+mode|god\s+mode"
        r"|root|sudo)\b",
    ),
    _injection(
        "do-anything-now",
        r"\bdo\s+anything\s+now\b|\b(?:developer|god|sudo|debug|maintenance|jailbreak|unrestricted)\s+mode\s+"
        r"(?:is\s+)?(?:now\s+)?(?:enabled|activated|on|output|unlocked)\b|\b(?:enable|activate|enter"
        r"|unlock)\s+(?:developer|god|sudo|jailbreak|unrestricted)\s+mode\b",
    ),
    _injection(
        "no-limits",
        r"\b(?:without|free\s+(?:of|from)|no|not\s+bound\s+by|not\s+restricted\s+by|break\s+free\s+(?:of"
        r"|from))\s+(?:(?:any|all|the|your|its|or|and|moral|legal|openai'?s?)\s+)*(?:ethical|moral|content"
        r"|safety|usual|typical)\s+(?:or\s+\w+\s+)?(?:restrictions|limitations|guidelines|filters?|constraints"
        r"|boundaries|polic(?:y|ies)|considerations|confines)\b",
    ),
    _injection(
        "stay-in-character",
        r"\bstay\s+in\s+character\b|\b(?:never|do\s+not|don't)\s+(?:break|leave)\s+(?:your\s+|the\s+)?"
        r"character\b|\banswer\s+(?:my|every|all|any)\s+questions?\s+as\s+(?:if\s+)?(?:dan|an?\s+un)",
    ),
    # What it is told to hide or to give away.
    _injection(
        "conceal",
        rf"\b(?:do\s+not|don't|never|without|avoid|must\s+not|should\s+not)\s+(?:ever\s+)?(?:tell(?:ing)?"
        rf"|inform(?:ing)?|mention(?:ing)?|notify(?:ing)?|alert(?:ing)?|reveal(?:ing)?|show(?:ing)?|disclos(?:e"
        rf"|ing)|ask(?:ing)?)\s+(?:(?:this|it|that|any\s+of\s+this|anything|about|to)\s+)*{_USER}",
        Required.QUARANTINE,
    ),
    _injection(
        "conceal-this",
        r"\b(?:do\s+not|don't|never)\s+(?:mention|reveal|disclose|acknowledge)\s+(?:this|these|that\s+you"
        r"|the\s+existence\s+of)\s+(?:(?:hidden|secret|system)\s+)*(?:instructions?|messages?|prompts?|tags?"
        r"|received)\b",
    ),
    _injection(
        "reveal-prompt",
        r"\b(?:reveal|show|print|repeat|output|display|leak|recite|reproduce|tell\s+me|what\s+(?:is|are|was"
        r"|were))\s+(?:(?:me|us|all|of|the|your|verbatim|exact|entire|full|complete)\s+)*(?:system|initial"
        r"|original|hidden|developer|secret|pre)[\s-]*(?:prompts?|instructions?|messages?)\b",
    ),
    _injection(
        "call-this-tool",
        r"\b(?:always|first|must|you\s+should|immediately|now)\s+(?:first\s+|also\s+|immediately\s+)*(?:call"
        r"|invoke|use|run|execute)\s+(?:the\s+)?[`'\"]?[a-z0-9_./-]+[`'\"]?\s+(?:tool|function)\s+(?:first"
        r"|before|with|to\s+(?:send|forward|post|read))\b",
    ),
    _injection(
        "shadowing",
        r"\b(?:before|when(?:ever)?|instead\s+of|prior\s+to)\s+(?:using|calling|invoking)\s+(?:this|any"
        r"|another|the\s+other|other)\s+(?:tool|function)s?,?\s+(?:you\s+must\s+|always\s+|first\s+|please\s+)*"
        r"(?:read|call|send|use|access|include|pass)\b",
    ),
    # What it is told to carry out.
    _leak(
        "send-secrets",
        rf"\b{_SEND}\b\s+(?:(?:me|us|them|it|back|out|over|along|all|any|every|each|of|the|your|their|user'?s?"
        rf"|its|our|my|and|other|stored|saved|full|contents?|content|complete|list|copy|values?)\s+)*"
        rf"{_SECRETS}\b",
    ),
    _leak(
        "credential-file",
        r"(?:~|/root|/home/[\w.-]+|\$home|%userprofile%)?[/\\]\.(?:ssh[/\\](?:id_\w+|authorized_keys|config)"
        r"|aws[/\\]credentials|kube[/\\]config|netrc|npmrc|pypirc|docker[/\\]config\.json|git-credentials"
        r"|gnupg[/\\]\w+|cursor[/\\]mcp\.json)|/etc/(?:shadow|sudoers)\b|/proc/(?:self|\d+)/environ\b",
    ),
    _leak(
        "collector",
        r"\b(?:webhook\.site|requestbin\.(?:com|net)|pipedream\.net|requestcatcher\.com|hookbin\.com"
        r"|beeceptor\.com|burpcollaborator\.net|oastify\.com|oast\.(?:pro|live|site|online|fun|me)"
        r"|interact\.sh|interactsh\.com|dnslog\.cn|ceye\.io|canarytokens\.(?:com|org)|ngrok(?:-free)?\.(?:io"
        r"|app|dev)|serveo\.net|localhost\.run|trycloudflare\.com|bin\.rip|smee\.io)\b",
        _EVERYWHERE,
    ),
    _leak(
        "data-in-address",
        r"!\[[^\]\n]*\]\(\s*<?https?://[^\s)]*(?:\{[^}\s)]*\}|\[[a-z_ ]+\]|<[a-z_ ]+>|\$\{?[a-z_]+|data_?here"
        r"|secret|your_)",
        _EVERYWHERE,
    ),
    _leak(
        "append-to-address",
        r"\b(?:append|add|put|include|insert|embed|encode|concatenate|replace)\s+(?:(?:it|them|this|that|the"
        r"|all|any|of|your|user'?s?|full|result|answer|response|data|content|summary|text|placeholder"
        r"|conversation|base64|url)[\s-]+)*(?:to|into|in|as|onto|with)\s+(?:(?:the|this|an?|following|query"
        r"|image|end|of)\s+)*(?:url|uri|link|address|query\s+(?:string|parameter)|image\s+(?:url|link"
        r"|source))\b",
    ),
    Pattern(
        id="hiding:mixed-script",  # Cyrillic or Greek letters inside an English word
        kind=Kind.HIDING,
        pattern=r"[a-z]{2}[\x{430}-\x{455}\x{456}-\x{45f}\x{3b1}-\x{3c9}][a-z]",
        stages=_READ,
    ),
)
"""The built-in patterns, with ids that stay."""
