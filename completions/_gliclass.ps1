
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'gliclass' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'gliclass'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'gliclass' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('classify', 'classify', [CompletionResultType]::ParameterValue, 'Classify texts from the command line or standard input')
            [CompletionResult]::new('batch', 'batch', [CompletionResultType]::ParameterValue, 'Add labels to every record of a file or stream: JSONL, CSV, TSV or Parquet')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Judge labels on labelled records, and fit thresholds')
            [CompletionResult]::new('train', 'train', [CompletionResultType]::ParameterValue, 'Fine-tune a model on labelled records')
            [CompletionResult]::new('embed', 'embed', [CompletionResultType]::ParameterValue, 'Write the vectors of texts and labels that the model compares, as JSONL')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast a model runs on this machine, and where its time goes')
            [CompletionResult]::new('download', 'download', [CompletionResultType]::ParameterValue, 'Fetch a model from the Hugging Face Hub and print its folder')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for your shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gliclass;classify' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the results [default: a table on a terminal, else jsonl]')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one per line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Separates the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'The task in words, such as "Classify the mood"')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Examples to show the model with every text')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Solved cases, for models trained to see them beside the text')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Show only the K solved cases nearest to each text [default: all]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]')
            [CompletionResult]::new('--threshold', '--threshold', [CompletionResultType]::ParameterName, 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]')
            [CompletionResult]::new('--thresholds', '--thresholds', [CompletionResultType]::ParameterName, 'Thresholds and temperature from a file written by `eval --fit`')
            [CompletionResult]::new('--abstain-below', '--abstain-below', [CompletionResultType]::ParameterName, 'No label for a text whose best score is below F, from 0 to 1')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'At most N labels per text, the best ones')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'At most N labels per text, the best ones')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Most tokens that a text and its labels may have together')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'Number format of the computation')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What happens to a text that is too long')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens shared by two pieces [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once [default: all]')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'Read lists in --labels-file as wordings of one label')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label per text')
            [CompletionResult]::new('--all-scores', '--all-scores', [CompletionResultType]::ParameterName, 'Every label with its score, whatever the threshold')
            [CompletionResult]::new('--logits', '--logits', [CompletionResultType]::ParameterName, 'Add `logit`, the score before sigmoid or softmax, to each prediction')
            [CompletionResult]::new('--hierarchical', '--hierarchical', [CompletionResultType]::ParameterName, 'Write predictions in the shape of the labels, every leaf a score')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network: what is not in the cache is an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;batch' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The output file [default: standard output]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The output file [default: standard output]')
            [CompletionResult]::new('--input-format', '--input-format', [CompletionResultType]::ParameterName, 'The format of input and output [default: by the input''s ending, else jsonl]')
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field or column with the text')
            [CompletionResult]::new('--output-field', '--output-field', [CompletionResultType]::ParameterName, 'The field that receives the predictions (JSONL only)')
            [CompletionResult]::new('--list-separator', '--list-separator', [CompletionResultType]::ParameterName, 'Separates several labels or scores in a CSV or TSV cell')
            [CompletionResult]::new('--on-error', '--on-error', [CompletionResultType]::ParameterName, 'What happens to a record that cannot be classified')
            [CompletionResult]::new('--shard', '--shard', [CompletionResultType]::ParameterName, 'Only shard I of N, from 0; or `auto` in a job of Slurm or Kubernetes')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one per line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Separates the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'The task in words, such as "Classify the mood"')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Examples to show the model with every text')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Solved cases, for models trained to see them beside the text')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Show only the K solved cases nearest to each text [default: all]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]')
            [CompletionResult]::new('--threshold', '--threshold', [CompletionResultType]::ParameterName, 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]')
            [CompletionResult]::new('--thresholds', '--thresholds', [CompletionResultType]::ParameterName, 'Thresholds and temperature from a file written by `eval --fit`')
            [CompletionResult]::new('--abstain-below', '--abstain-below', [CompletionResultType]::ParameterName, 'No label for a text whose best score is below F, from 0 to 1')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'At most N labels per text, the best ones')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'At most N labels per text, the best ones')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Most tokens that a text and its labels may have together')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'Number format of the computation')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What happens to a text that is too long')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens shared by two pieces [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once [default: all]')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Continue a run that was stopped, or start one that can be continued')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite an existing output')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'Read lists in --labels-file as wordings of one label')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label per text')
            [CompletionResult]::new('--all-scores', '--all-scores', [CompletionResultType]::ParameterName, 'Every label with its score, whatever the threshold')
            [CompletionResult]::new('--logits', '--logits', [CompletionResultType]::ParameterName, 'Add `logit`, the score before sigmoid or softmax, to each prediction')
            [CompletionResult]::new('--hierarchical', '--hierarchical', [CompletionResultType]::ParameterName, 'Write predictions in the shape of the labels, every leaf a score')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network: what is not in the cache is an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;eval' {
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field or column with the text')
            [CompletionResult]::new('--label-field', '--label-field', [CompletionResultType]::ParameterName, 'The field or column with the true labels [default: true_labels, or label]')
            [CompletionResult]::new('--list-separator', '--list-separator', [CompletionResultType]::ParameterName, 'Separates several labels in a CSV or TSV cell')
            [CompletionResult]::new('--predictions-from', '--predictions-from', [CompletionResultType]::ParameterName, 'Judge outputs of `batch` or of --predictions, without a model')
            [CompletionResult]::new('--compare', '--compare', [CompletionResultType]::ParameterName, 'Compare with these predictions of the same records')
            [CompletionResult]::new('--output-field', '--output-field', [CompletionResultType]::ParameterName, 'The field with the predictions in these files')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one per line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Separates the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'The task in words, such as "Classify the mood"')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Examples to show the model with every text')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Solved cases, for models trained to see them beside the text')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Show only the K solved cases nearest to each text [default: all]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]')
            [CompletionResult]::new('--threshold', '--threshold', [CompletionResultType]::ParameterName, 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]')
            [CompletionResult]::new('--thresholds', '--thresholds', [CompletionResultType]::ParameterName, 'Thresholds and temperature from a file written by `eval --fit`')
            [CompletionResult]::new('--abstain-below', '--abstain-below', [CompletionResultType]::ParameterName, 'No label for a text whose best score is below F, from 0 to 1')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'At most N labels per text, the best ones')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'At most N labels per text, the best ones')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'The layout of the figures')
            [CompletionResult]::new('--predictions', '--predictions', [CompletionResultType]::ParameterName, 'Write every record with its predictions to a file, as JSON lines')
            [CompletionResult]::new('--errors', '--errors', [CompletionResultType]::ParameterName, 'Show the N most confident errors per label')
            [CompletionResult]::new('--plots', '--plots', [CompletionResultType]::ParameterName, 'Write the plots to a folder, as SVG')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Write a page for a browser, with figures, plots and errors')
            [CompletionResult]::new('--bootstrap', '--bootstrap', [CompletionResultType]::ParameterName, 'Bootstrap samples for the 95 % intervals, at least 100; 0 for none')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed of random numbers: the same one gives the same figures')
            [CompletionResult]::new('--label-order-trials', '--label-order-trials', [CompletionResultType]::ParameterName, 'Classify again N times with shuffled labels, and count what changes')
            [CompletionResult]::new('--fit', '--fit', [CompletionResultType]::ParameterName, 'Fit thresholds and a temperature, and write them for --thresholds')
            [CompletionResult]::new('--fit-for', '--fit-for', [CompletionResultType]::ParameterName, 'What to fit for: f1, f0.5, f2 or another F-measure, precision=0.9 or recall=0.9')
            [CompletionResult]::new('--min-accuracy', '--min-accuracy', [CompletionResultType]::ParameterName, 'Lowest accuracy; with several labels per record, lowest subset accuracy')
            [CompletionResult]::new('--min-micro-f1', '--min-micro-f1', [CompletionResultType]::ParameterName, 'Lowest micro-averaged F1')
            [CompletionResult]::new('--min-macro-f1', '--min-macro-f1', [CompletionResultType]::ParameterName, 'Lowest macro-averaged F1')
            [CompletionResult]::new('--min-weighted-f1', '--min-weighted-f1', [CompletionResultType]::ParameterName, 'Lowest F1 averaged by support')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Most tokens that a text and its labels may have together')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'Number format of the computation')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What happens to a text that is too long')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens shared by two pieces [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once [default: all]')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'Read lists in --labels-file as wordings of one label')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label per text')
            [CompletionResult]::new('--all-scores', '--all-scores', [CompletionResultType]::ParameterName, 'Every label with its score, whatever the threshold')
            [CompletionResult]::new('--logits', '--logits', [CompletionResultType]::ParameterName, 'Add `logit`, the score before sigmoid or softmax, to each prediction')
            [CompletionResult]::new('--hierarchical', '--hierarchical', [CompletionResultType]::ParameterName, 'Write predictions in the shape of the labels, every leaf a score')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network: what is not in the cache is an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;train' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The folder for the trained model')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The folder for the trained model')
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field or column with the text')
            [CompletionResult]::new('--label-field', '--label-field', [CompletionResultType]::ParameterName, 'The field or column with the true labels [default: true_labels, or label]')
            [CompletionResult]::new('--list-separator', '--list-separator', [CompletionResultType]::ParameterName, 'Separates several labels in a CSV or TSV cell')
            [CompletionResult]::new('--eval', '--eval', [CompletionResultType]::ParameterName, 'Judge each epoch on the records of this file')
            [CompletionResult]::new('--eval-share', '--eval-share', [CompletionResultType]::ParameterName, 'Judge each epoch on this share of the records; 0 for none')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one per line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Separates the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'The task in words; the model reads it before the text')
            [CompletionResult]::new('--epochs', '--epochs', [CompletionResultType]::ParameterName, 'How many times every record is seen')
            [CompletionResult]::new('--batch-size', '--batch-size', [CompletionResultType]::ParameterName, 'Records per batch')
            [CompletionResult]::new('--gradient-accumulation', '--gradient-accumulation', [CompletionResultType]::ParameterName, 'Batches per step: like one large batch, in the memory of a small one')
            [CompletionResult]::new('--learning-rate', '--learning-rate', [CompletionResultType]::ParameterName, 'Peak learning rate of the encoder')
            [CompletionResult]::new('--head-learning-rate', '--head-learning-rate', [CompletionResultType]::ParameterName, 'Peak learning rate of the head, which is all above the encoder')
            [CompletionResult]::new('--weight-decay', '--weight-decay', [CompletionResultType]::ParameterName, 'Weight decay of the encoder, times the learning rate')
            [CompletionResult]::new('--head-weight-decay', '--head-weight-decay', [CompletionResultType]::ParameterName, 'Weight decay of the head, times the learning rate')
            [CompletionResult]::new('--schedule', '--schedule', [CompletionResultType]::ParameterName, 'How the learning rates fall after the warm-up')
            [CompletionResult]::new('--warmup', '--warmup', [CompletionResultType]::ParameterName, 'The share of the steps over which the learning rates rise from 0')
            [CompletionResult]::new('--clip', '--clip', [CompletionResultType]::ParameterName, 'The highest norm of a step''s gradients; 0 for no limit')
            [CompletionResult]::new('--patience', '--patience', [CompletionResultType]::ParameterName, 'Stop after N epochs without better figures of the held-out records')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed of random numbers: the same one gives the same model')
            [CompletionResult]::new('--focal-alpha', '--focal-alpha', [CompletionResultType]::ParameterName, 'The weight of true labels in the loss, from 0 to 1 [default: no weights]')
            [CompletionResult]::new('--focal-gamma', '--focal-gamma', [CompletionResultType]::ParameterName, 'How much less a label counts the better the model knows it')
            [CompletionResult]::new('--label-smoothing', '--label-smoothing', [CompletionResultType]::ParameterName, 'How far targets are moved towards an even split, from 0 to 1')
            [CompletionResult]::new('--contrastive', '--contrastive', [CompletionResultType]::ParameterName, 'Weight of the contrastive term, which pushes the labels of a record apart')
            [CompletionResult]::new('--train-layers', '--train-layers', [CompletionResultType]::ParameterName, 'Train only the head and the encoder''s last N layers')
            [CompletionResult]::new('--lora', '--lora', [CompletionResultType]::ParameterName, 'Train low-rank matrices (LoRA) of this rank beside the encoder''s')
            [CompletionResult]::new('--label-removal', '--label-removal', [CompletionResultType]::ParameterName, 'Probability that some labels are left out')
            [CompletionResult]::new('--label-addition', '--label-addition', [CompletionResultType]::ParameterName, 'Probability that labels of other records are added')
            [CompletionResult]::new('--text-addition', '--text-addition', [CompletionResultType]::ParameterName, 'Probability that the text of another record is added')
            [CompletionResult]::new('--synonyms', '--synonyms', [CompletionResultType]::ParameterName, 'Probability that labels are called by their synonyms')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'Probability that descriptions of labels are shown beside the text')
            [CompletionResult]::new('--shown-examples', '--shown-examples', [CompletionResultType]::ParameterName, 'Probability that solved cases are shown beside the text')
            [CompletionResult]::new('--descriptions', '--descriptions', [CompletionResultType]::ParameterName, 'Synonyms and descriptions of labels')
            [CompletionResult]::new('--max-labels', '--max-labels', [CompletionResultType]::ParameterName, 'Read at most N labels of a record at once')
            [CompletionResult]::new('--backbone', '--backbone', [CompletionResultType]::ParameterName, 'Start from a plain encoder with a new head, instead of --model')
            [CompletionResult]::new('--label-backbone', '--label-backbone', [CompletionResultType]::ParameterName, 'The encoder of a bi-encoder''s labels [default: another copy of the backbone]')
            [CompletionResult]::new('--architecture', '--architecture', [CompletionResultType]::ParameterName, 'How labels and text are read')
            [CompletionResult]::new('--pooling', '--pooling', [CompletionResultType]::ParameterName, 'How the vectors of the text''s tokens become one')
            [CompletionResult]::new('--label-pooling', '--label-pooling', [CompletionResultType]::ParameterName, 'How the vectors of a label''s tokens become one in a uni-encoder')
            [CompletionResult]::new('--scorer', '--scorer', [CompletionResultType]::ParameterName, 'What compares text and labels')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Most tokens that a text and its labels may have together')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Continue where a training with the same command stopped')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Start again in a folder that `train` made, and overwrite its model')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Stop before the first step if anything is wrong with the data')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label is true per record')
            [CompletionResult]::new('--sum-loss', '--sum-loss', [CompletionResultType]::ParameterName, 'Sum the loss over all labels instead of taking the mean')
            [CompletionResult]::new('--freeze-encoder', '--freeze-encoder', [CompletionResultType]::ParameterName, 'Train only the head')
            [CompletionResult]::new('--no-dropout', '--no-dropout', [CompletionResultType]::ParameterName, 'Train without the dropout that the config names')
            [CompletionResult]::new('--augment', '--augment', [CompletionResultType]::ParameterName, 'Change records at random each time they are seen')
            [CompletionResult]::new('--keep-label-order', '--keep-label-order', [CompletionResultType]::ParameterName, 'Keep the labels in their order instead of shuffling them each time')
            [CompletionResult]::new('--normalize-features', '--normalize-features', [CompletionResultType]::ParameterName, 'Compare vectors of unit length')
            [CompletionResult]::new('--text-first', '--text-first', [CompletionResultType]::ParameterName, 'Put the text before the labels in a uni-encoder')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network: what is not in the cache is an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;embed' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The output file [default: standard output]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The output file [default: standard output]')
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field with the text')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one per line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Separates the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'The task in words, such as "Classify the mood"')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Examples to show the model with every text')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Solved cases, for models trained to see them beside the text')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Show only the K solved cases nearest to each text [default: all]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Most tokens that a text and its labels may have together')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'Number format of the computation')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What happens to a text that is too long')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens shared by two pieces [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once [default: all]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite an existing output')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'Read lists in --labels-file as wordings of one label')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network: what is not in the cache is an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;bench' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Number of texts; if there are fewer, they are repeated')
            [CompletionResult]::new('--texts', '--texts', [CompletionResultType]::ParameterName, 'Number of texts; if there are fewer, they are repeated')
            [CompletionResult]::new('--labels-count', '--labels-count', [CompletionResultType]::ParameterName, 'Number of labels of each text')
            [CompletionResult]::new('--input', '--input', [CompletionResultType]::ParameterName, 'Take the texts from a JSONL file [default: built-in texts]')
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field with the text')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the figures')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Number of processor threads [default: all]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Most tokens that a text and its labels may have together')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'Number format of the computation')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What happens to a text that is too long')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens shared by two pieces [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once [default: all]')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network: what is not in the cache is an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;download' {
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit [default: main]')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network: what is not in the cache is an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;help' {
            [CompletionResult]::new('classify', 'classify', [CompletionResultType]::ParameterValue, 'Classify texts from the command line or standard input')
            [CompletionResult]::new('batch', 'batch', [CompletionResultType]::ParameterValue, 'Add labels to every record of a file or stream: JSONL, CSV, TSV or Parquet')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Judge labels on labelled records, and fit thresholds')
            [CompletionResult]::new('train', 'train', [CompletionResultType]::ParameterValue, 'Fine-tune a model on labelled records')
            [CompletionResult]::new('embed', 'embed', [CompletionResultType]::ParameterValue, 'Write the vectors of texts and labels that the model compares, as JSONL')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast a model runs on this machine, and where its time goes')
            [CompletionResult]::new('download', 'download', [CompletionResultType]::ParameterValue, 'Fetch a model from the Hugging Face Hub and print its folder')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for your shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gliclass;help;classify' {
            break
        }
        'gliclass;help;batch' {
            break
        }
        'gliclass;help;eval' {
            break
        }
        'gliclass;help;train' {
            break
        }
        'gliclass;help;embed' {
            break
        }
        'gliclass;help;bench' {
            break
        }
        'gliclass;help;download' {
            break
        }
        'gliclass;help;completions' {
            break
        }
        'gliclass;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
