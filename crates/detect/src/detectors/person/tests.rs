//! Names by what is written beside them, and texts without any.

use obelus_json::Arch;

use crate::{Carry, Category, Detectors, Level, Piece};

/// The names found in `text` by the detectors that are acted on.
fn names(text: &str) -> Vec<&str> {
    let detectors = Detectors::new(|detector| {
        detector.category == Category::PersonName && detector.level >= Level::Likely
    });
    let mut out = Vec::new();
    let piece = Piece { text: text.as_bytes(), ..Piece::default() };
    detectors.scan(Arch::scalar(), piece, &mut Carry::default(), &mut out);
    out.iter().map(|found| text.get(found.start..found.end).unwrap()).collect()
}

#[test]
fn names_of_many_forms_are_found_whole() {
    for (text, wanted) in [
        ("John Q. Public paid", "John Q. Public"),
        ("signed by J. R. Smith.", "J. R. Smith"),
        ("met Jean-Pierre Dubois yesterday", "Jean-Pierre Dubois"),
        ("ask Ludwig van der Berg about it", "Ludwig van der Berg"),
        ("from Maria de la Cruz Hernandez", "Maria de la Cruz Hernandez"),
        ("Sean O'Connor's order", "Sean O'Connor"),
        ("Ian McDonald wrote", "Ian McDonald"),
        ("then Éva Szabó and the bank", "Éva Szabó"),
        ("for Łukasz Wiśniewski.", "Łukasz Wiśniewski"),
        ("Dzhoxar Karavaev", "Dzhoxar Karavaev"),
        ("I'm Zorba Qwerin, hello", "Zorba Qwerin"),
        ("Mark Johnson called", "Mark Johnson"),
        ("Herr Müller hat bezahlt", "Müller"),
        ("Señora García llamó", "García"),
        ("Mrs Brown has paid", "Brown"),
        ("Hi Priyamvada,\nthanks", "Priyamvada"),
        ("Thanks,\nXalak", "Xalak"),
        ("Sincerely,\n\nXalak Badami\nAccounting", "Xalak Badami"),
        ("Xalak Badami <x@example.com>", "Xalak Badami"),
        ("Patient: Xalak Badami", "Xalak Badami"),
        ("first name: Xalak", "Xalak"),
        ("billed to account holder Xalak Badami on", "Xalak Badami"),
        ("Jennifer's card", "Jennifer"),
        ("this is Jennifer speaking", "Jennifer"),
        ("you saved us, Jennifer!", "Jennifer"),
        ("Jennifer: see above", "Jennifer"),
    ] {
        assert_eq!(names(text), [wanted], "{text:?}");
    }
    assert_eq!(names("our two founders: Qwerin, Brown and Smith"), ["Qwerin", "Brown", "Smith"]);
    assert_eq!(names("our two partners: Qwerin, Brown and Smith"), [""; 0]);
    assert_eq!(names("Anna, Jennifer and Stephan came"), ["Anna", "Jennifer", "Stephan"]);
}

#[test]
fn clean_text_has_no_names() {
    for text in CLEAN {
        assert_eq!(names(text), [""; 0], "{text:?}");
    }
}

const CLEAN: &[&str] = &[
    "Thank you for your order. Your Payment Intent was created and the Billing Address is on file.",
    "Please find the Stripe Dashboard under Settings, then Payment Methods.",
    "Will you confirm the amount by Friday? May we charge the card in June?",
    "Mark the invoice as paid and Bill the customer next month.",
    "Grace Period and Trial End are set in Subscription Settings.",
    "New York, Los Angeles, San Francisco and Washington are in the United States.",
    "Our offices in Paris, London, Berlin and Sydney are closed on Monday.",
    "Dear Customer, we have received your complaint.",
    "Dear Sir or Madam,\nPlease send us the contract.",
    "Hello World",
    "Hi Team,\nThe release is out.",
    "Hi all, the Release Notes are in the Wiki.",
    "Best regards,\nCustomer Support",
    "Kind regards,\nThe Billing Team",
    "Thanks,\nSupport",
    "From: Billing Department",
    "To: All Employees",
    "Name: Payment Intent",
    "File name: Final Report",
    "Product name: Ultra Wheel",
    "Customer: Rocket Rides Inc",
    "Status: Paid. Amount: 42.00 EUR. Currency: Euro.",
    "Visa Direct and American Express are supported by Apple Pay and Google Pay.",
    "Chase Bank and Wells Fargo declined the charge; Morgan Stanley did not.",
    "The Johnson Hospital and the Martin Luther University are on Jefferson Street.",
    "17 Victoria Street, Charlotte, North Carolina",
    "The Gaussian Distribution and the Markov Chain are explained in Chapter 3.",
    "This is Important: read the Terms of Service and the Privacy Policy.",
    "I am Sure that the Refund will arrive. I'm Happy to help.",
    "Error: Connection refused by Peer at 10.0.0.1",
    "INFO Starting Worker pool; WARN Queue full; ERROR Timeout after 30s",
    "2026-04-07 10:15:30 INFO Server started on port 8080",
    "Exception in thread main java.lang.NullPointerException: Cannot invoke Order.getTotal()",
    "Caused by: org.hibernate.HibernateException: Unable to acquire connection",
    "// Returns the Customer of the Invoice, or None if it was deleted.",
    "# Don't retry here: the Webhook Handler does it.",
    "/* See RFC 9110, Section 8.3, and the Unicode Standard, Annex 15. */",
    "def create_charge(self, Amount, Currency): raise NotImplementedError",
    "const StripeElements = React.createContext(InitialState);",
    "impl Display for Category { fn fmt(&self, f: &mut Formatter) -> Result }",
    "Use Amazon Web Services, Microsoft Azure or Google Cloud Platform.",
    "Install Ruby, Julia, Maven and Jenkins; Travis and Django are optional.",
    "Alexa, Siri and Cortana answer; Claude, Gemini and Watson too.",
    "The Monday Meeting moved to Tuesday, April 7.",
    "Happy Birthday and Merry Christmas from all of us.",
    "Quarterly Report: Net Sales rose in Great Britain and South Korea.",
    "Chapter One. Introduction. Getting Started. Next Steps. Further Reading.",
    "Credit Card, Debit Card, Bank Transfer, Direct Debit, Gift Card",
    "Order Confirmation, Shipping Address, Delivery Date, Tracking Number",
    "The Red Cross, the World Bank and the European Union were named.",
    "Lake Michigan, Mount Everest and the River Thames are famous.",
    "Each Team has an Owner; the Owner can invite Members and Guests.",
    "If the Card is declined, ask the Bank. Contact Support for help.",
    "Click Save, then Close. Press Enter or choose Print Preview.",
    "Python, Java, Rust and Swift are languages; Linux and Windows are not.",
    "Free Trial ends Today. Upgrade Now. Cancel Anytime.",
    "Hope this helps! Joy and Faith in the product are growing.",
    "He said Yes. She said No. They said Maybe Later.",
    "User: What is my balance? Bot: Please log in first.",
    "By default, Art and Music are in category Culture and Leisure.",
    "Terms and Conditions apply; see Annex B. The Seller ships within a week.",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Content-Type: Application/Json, Accept-Language: En, User-Agent: Curl",
    "Dr. No, Miss Universe, Sir, Professor, Madam President",
    "Plan B. Option C. Type A. Vitamin D. Section E.",
    "The Star Alliance Lounge in Terminal B opens at Nine.",
    "Rose Gold, Sky Blue, Olive Green, Ruby Red, Amber Light",
    "Two Factor Authentication with Google Authenticator is on.",
    "We compared Kafka, Redis, Postgres and Cassandra under load.",
    "Sent from my iPhone",
    "Subject: Invoice 42 is Overdue",
    "Attn: Accounts Payable",
    "Contact: Help Desk",
    "Bluetooth Headset, Wireless Mouse, Mountain Bike, Rocket Skates",
];
